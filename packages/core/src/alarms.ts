import { deadlines } from './deadlines.ts';
import { look } from './look.ts';
import type { SessionRecord } from './session.ts';

/** What an alarm is for, and the queue it stands in. Its handler does whatever the record needs. */
export const ALARM_NAMES = ['sleep', 'delete', 'wake'] as const;
export type AlarmName = (typeof ALARM_NAMES)[number];

/** Why a session's alarms had to be set again. */
export const REPAIRS = [
  /** A process was killed between a commit and the alarms that it needs. */
  'unarmed',
  /** The session had no alarm. */
  'missing',
  /** All alarms stood too late for what was due. */
  'late',
  /** Redis came back with older data, and the session has not been looked at since. */
  'rewound',
] as const;
export type RepairKind = (typeof REPAIRS)[number];

/** One alarm of one session, as its job carries it. */
export interface AlarmRef {
  readonly name: AlarmName;
  readonly uuid: string;
  readonly n: number;
}

/** Where an alarm should stand, in ms. */
export interface Alarm {
  readonly name: AlarmName;
  readonly at: number;
}

/** Whether a user may wait for a status read: not where the pod was only just adopted. */
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
 * The alarms that a record needs: the one that takes its next step, and beside it the `delete` that comes even if that
 * step never succeeds.
 */
export function alarmsOf(record: SessionRecord, now: number): Alarm[] {
  const decision = look(record, now);
  if (decision.kind === 'over') return [];
  const next = decision.kind === 'rest' ? decision.until : now;
  const main = mainAlarm(record);
  const alarms: Alarm[] = next === null ? [] : [{ name: main, at: next }];
  const { deleteAt } = deadlines(record);
  if (main !== 'delete' && deleteAt !== null) alarms.push({ name: 'delete', at: deleteAt });
  return alarms;
}

/** The alarms to set: those that the record needs, and one more for a user who waits for a status read, before sleeps in a line. */
export function alarmsToSet(record: SessionRecord, now: number): Alarm[] {
  const alarms = alarmsOf(record, now);
  const decision = look(record, now);
  const isRead = decision.kind === 'act' && decision.action === 'status' && isAwaited(record);
  return isRead && !alarms.some(({ name }) => name === 'wake') ? [...alarms, { name: 'wake', at: now }] : alarms;
}

/** The names of the alarms that were armed under a record's number, and perhaps more. */
export function alarmNamesOf(record: SessionRecord): readonly AlarmName[] {
  if (record.wanted === 'gone' || isAwaited(record)) return ALARM_NAMES;
  return [...new Set([mainAlarm(record), 'delete'] as const)];
}

/** How soon an alarm rings again that rang while a call was in flight, in ms: what the call leaves may be due long before its lease ends. */
const IN_FLIGHT_MS = 500;

/**
 * Where a running alarm of the current number moves itself when there is nothing to do before `until`: to its own
 * place, or, where that has passed or is none, to the next look.
 */
export function restingPlace(record: SessionRecord, name: AlarmName, until: number, now: number): number {
  const own = alarmsOf(record, now).find((alarm) => alarm.name === name)?.at;
  if (own !== undefined && own > now) return own;
  return record.action === '' ? until : Math.min(until, now + IN_FLIGHT_MS);
}

/**
 * Whether a `sleep` alarm of the current number is not needed any more: the session sleeps, and next comes its delete,
 * whose own alarm was set with this one and stands where the delete was due before it slept, which is never later.
 */
export function isServed(record: SessionRecord, name: AlarmName, now: number): boolean {
  if (name !== 'sleep' || record.wanted !== 'asleep' || record.pod !== 'asleep') return false;
  const decision = look(record, now);
  return decision.kind === 'rest' && decision.until === deadlines(record).deleteAt;
}

/** How a handler leaves its alarm: over, or to ring again in `ms`. */
export type AlarmEnd = { readonly kind: 'completed' } | { readonly kind: 'again'; readonly ms: number };
