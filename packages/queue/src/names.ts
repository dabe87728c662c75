import { ALARM_NAMES, type AlarmName, type AlarmRef } from '@sandman/core';

/** Returns the id of an alarm's job. It never repeats, because `n` never does. BullMQ forbids `:` and plain integers. */
export function jobId({ name, uuid, n }: AlarmRef): string {
  return `${name}-${uuid}-${n}`;
}

/** Returns the alarm of a job; null for the id of another job. */
export function parseJobId(id: string | undefined): AlarmRef | null {
  const match = /^([a-z]+)-([A-Za-z0-9_-]{1,64})-(\d+)$/.exec(id ?? '');
  if (!match || !ALARM_NAMES.includes(match[1] as AlarmName)) return null;
  return { name: match[1] as AlarmName, uuid: match[2]!, n: Number(match[3]) };
}
