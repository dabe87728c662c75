import { ALARM_NAMES, type AlarmName, type AlarmRef } from '@sandman/core';

/** The job of an alarm: an id that never repeats, because `n` never does. BullMQ forbids `:` and plain integers. */
export function jobId({ name, uuid, n }: AlarmRef): string {
  return `${name}-${uuid}-${n}`;
}

/** The alarm a job stands for; null for a job that is not ours. */
export function parseJobId(id: string | undefined): AlarmRef | null {
  const match = /^([a-z]+)-([A-Za-z0-9_-]{1,64})-(\d+)$/.exec(id ?? '');
  if (!match || !ALARM_NAMES.includes(match[1] as AlarmName)) return null;
  return { name: match[1] as AlarmName, uuid: match[2]!, n: Number(match[3]) };
}
