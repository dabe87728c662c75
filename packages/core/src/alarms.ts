import { deadlines, deleteStop } from './deadlines.ts';
import { decide } from './decide.ts';
import type { SessionRecord } from './session.ts';

/** The names of alarms and of their queues. The handler of any of them does what the record needs. */
export const ALARM_NAMES = ['sleep', 'delete', 'wake'] as const;
export type AlarmName = (typeof ALARM_NAMES)[number];

/** Why a session's alarms were set again by repair. */
export const REPAIRS = [
  /** A process was killed between a commit and the alarms that it needs. */
  'unarmed',
  /** The session had no alarm. */
  'missing',
  /** All alarms were set later than the record's next step was due. */
  'late',
  /** Redis came back with older data, and the session has not been verified since. */
  'rewound',
] as const;
export type RepairKind = (typeof REPAIRS)[number];

/** One alarm of one session, as the id of its job names it; `n` is the alarm number. */
export interface AlarmRef {
  readonly name: AlarmName;
  readonly uuid: string;
  readonly n: number;
}

/** An alarm and the time at which it should ring, in ms. */
export interface Alarm {
  readonly name: AlarmName;
  readonly at: number;
}

/** Returns whether a user may be waiting for a status read. The read that follows an adoption does not count. */
export function isAwaited({ wanted, verifyAt, createdAt }: SessionRecord): boolean {
  return wanted === 'awake' && verifyAt !== 0 && verifyAt !== createdAt;
}

function mainAlarm(record: SessionRecord): AlarmName {
  if (record.wanted === 'gone') return 'delete';
  if (record.wanted === 'asleep') return record.pod === 'asleep' ? 'delete' : 'sleep';
  if (record.pod !== 'awake') return 'wake';
  return record.policy.sleepAfter === null ? 'delete' : 'sleep';
}

/**
 * Returns the alarms that a record needs: the one that takes its next step, and a `delete` alarm that rings even if that
 * step never succeeds.
 */
export function alarmsOf(record: SessionRecord, now: number): Alarm[] {
  const decision = decide(record, now);
  if (decision.kind === 'over') return [];
  const next = decision.kind === 'rest' ? decision.until : now;
  const main = mainAlarm(record);
  const alarms: Alarm[] = next === null ? [] : [{ name: main, at: next }];
  const deleteAt = deleteStop(deadlines(record));
  if (main !== 'delete' && deleteAt !== null) alarms.push({ name: 'delete', at: deleteAt });
  return alarms;
}

/**
 * Returns the alarms to set: those that the record needs, and a `wake` alarm where a user may be waiting for a status read,
 * so that the read does not queue behind sleeps.
 */
export function alarmsToSet(record: SessionRecord, now: number): Alarm[] {
  const alarms = alarmsOf(record, now);
  const decision = decide(record, now);
  const isRead = decision.kind === 'act' && decision.action === 'status' && isAwaited(record);
  return isRead && !alarms.some(({ name }) => name === 'wake') ? [...alarms, { name: 'wake', at: now }] : alarms;
}

/** Returns the names of all alarms that may have been armed under the record's alarm number; some may never have been. */
export function alarmNamesOf(record: SessionRecord): readonly AlarmName[] {
  if (record.wanted === 'gone' || isAwaited(record)) return ALARM_NAMES;
  return [...new Set([mainAlarm(record), 'delete'] as const)];
}

/**
 * How soon an alarm rings again that rang while a call was in flight, in ms. The next step after the call may be due long
 * before the call's lease ends.
 */
const IN_FLIGHT_MS = 500;

/**
 * Returns when a running alarm rings again if there is nothing to do before `until`: at its own time, or at `until` where
 * its own time has passed or the record does not need it. While a call is in flight it rings after 500 ms at the latest.
 *
 * @returns ms
 */
export function nextRingAt(record: SessionRecord, name: AlarmName, until: number, now: number): number {
  const own = alarmsOf(record, now).find((alarm) => alarm.name === name)?.at;
  if (own !== undefined && own > now) return own;
  return record.action === '' ? until : Math.min(until, now + IN_FLIGHT_MS);
}

/**
 * Returns whether a `sleep` alarm of the current number is no longer needed: the session sleeps, and its next step is the
 * delete or its warning. The `delete` alarm was set together with this one, for the deadline from before the sleep, which is
 * never later than the present one.
 */
export function isNoLongerNeeded(record: SessionRecord, name: AlarmName, now: number): boolean {
  if (name !== 'sleep' || record.wanted !== 'asleep' || record.pod !== 'asleep') return false;
  const decision = decide(record, now);
  return decision.kind === 'rest' && decision.until === deleteStop(deadlines(record));
}

/** What the handler of an alarm returns: the alarm is completed, or rings again in `ms`. */
export type AlarmEnd = { readonly kind: 'completed' } | { readonly kind: 'again'; readonly ms: number };
