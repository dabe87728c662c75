import type { Intake } from './intake.ts';
import type { SessionRecord } from './session.ts';

/** When a session sleeps and is deleted if no activity arrives, in ms; `null` is never. */
export interface Deadlines {
  /** When an awake session is put to sleep. */
  readonly sleepAt: number | null;
  readonly deleteAt: number | null;
  /** When the warning before that sleep or delete is to be sent; null where warnings are off or this one was sent. */
  readonly sleepWarningAt: number | null;
  readonly deleteWarningAt: number | null;
}

/**
 * Returns when the warning before an idle sleep is to be sent. A policy whose `sleepAfter` is less than twice the warning time
 * has no warnings: after a warning its alarm is set for the sleep, and activity could make the next warning due before that.
 */
function sleepWarningAt({ policy, intake: { warning }, warnedOf }: SessionRecord, sleepAt: number | null): number | null {
  if (sleepAt === null || warning === 0 || warnedOf === sleepAt) return null;
  return (policy.sleepAfter ?? 0) >= 2 * warning ? sleepAt - warning : null;
}

/** Whether a delete deadline is still the one that was warned of: a gap moves it a little later, and needs no second warning. */
export function isSameDelete({ deleteWarning }: Intake, deleteAt: number, warnedOf: number): boolean {
  return deleteAt >= warnedOf && deleteAt < warnedOf + deleteWarning;
}

/** An idle delete. `isNotice`: a change of the policy made it due, so it comes later than the policy says. */
interface IdleDelete {
  readonly at: number;
  readonly isNotice: boolean;
}

/**
 * Returns when the warning before an idle delete is to be sent. A policy whose `deleteAfter` is less than twice the warning time
 * has no warnings, except after a change of the policy.
 */
function deleteWarningAt(record: SessionRecord, deleteAt: number, { isNotice }: IdleDelete): number | null {
  const { deleteWarning } = record.intake;
  if (deleteWarning === 0 || isSameDelete(record.intake, deleteAt, record.deleteWarnedOf)) return null;
  return isNotice || (record.policy.deleteAfter ?? 0) >= 2 * deleteWarning ? deleteAt - deleteWarning : null;
}

/** Returns the idle deadline, in ms: `after` ms past the last activity; background activity counts up to the policy's cap. */
function idleEnd(record: SessionRecord, intake: Intake, after: number): number {
  const background = Math.min(record.lastBackground + after, record.lastActivity + record.policy.backgroundCap);
  return Math.max(Math.max(record.lastActivity, record.wokenAt, intake.gapEndedAt) + after, background, record.holdUntil);
}

/**
 * Whether a delete with a grace is pending. A process of an older version wakes a session and leaves `graceUntil` in its record:
 * then the session is wanted awake, or sleeps because it was idle.
 */
export function hasGrace({ graceUntil, wanted, cause }: SessionRecord): boolean {
  return graceUntil > 0 && wanted !== 'awake' && (cause === 'manual' || cause === 'logout');
}

/**
 * Returns when the grace of a requested delete is over. It moves later by the length of each gap, and starts again when Redis
 * comes back with older data: the user could not come back, or Redis may have forgotten it.
 */
function graceEnd({ graceUntil, manualSleepAt, lostBefore }: SessionRecord, { rewoundAt, lostTime }: Intake): number {
  return Math.max(graceUntil, rewoundAt + graceUntil - manualSleepAt) + lostTime - lostBefore;
}

function idleDelete(record: SessionRecord, sleepAt: number | null, intake: Intake): IdleDelete | null {
  const { deleteAfter } = record.policy;
  if (deleteAfter === null) return null;
  if (record.wanted !== 'asleep' && sleepAt !== null) return { at: sleepAt + deleteAfter, isNotice: false };
  const lost = record.wanted === 'asleep' ? intake.lostTime - record.lostBefore : 0;
  const at = record.wanted === 'asleep' ? sleptDelete(record, sleepAt, intake, deleteAfter) + lost : idleEnd(record, intake, deleteAfter);
  const notice = record.noticeUntil > 0 ? record.noticeUntil + lost : 0;
  return { at: Math.max(at, notice), isNotice: notice > at };
}

function sleptDelete(record: SessionRecord, sleepAt: number | null, { rewoundAt }: Intake, deleteAfter: number): number {
  const from = record.pod === 'asleep' ? record.sleptAt : record.cause === 'idle' ? (sleepAt ?? 0) : record.manualSleepAt;
  return Math.max(from, record.lastActivity, record.wokenAt, rewoundAt) + deleteAfter;
}

/**
 * Returns the deadlines that the contract defines.
 *
 * - The end of a wake counts as activity. So does the end of a gap, for a session that is wanted awake.
 * - A sleeping session's delete moves later by the length of each gap. Its `deleteAfter` starts again when Redis comes back
 *   with older data, because Redis may have forgotten a wake.
 * - A session that is wanted asleep and whose pod does not sleep yet keeps its delete deadline, so that it is deleted even if
 *   the sleep call never succeeds.
 * - A delete that a change of the policy made due waits until `noticeUntil`.
 * - Nothing is deleted while it is kept.
 *
 * @param intake the intake to use instead of the record's, to look ahead
 */
export function deadlines(record: SessionRecord, intake = record.intake): Deadlines {
  const { sleepAfter } = record.policy;
  const sleepAt = sleepAfter === null ? null : idleEnd(record, intake, sleepAfter);
  const sleep = { sleepAt, sleepWarningAt: sleepWarningAt(record, sleepAt) };
  if (hasGrace(record)) return { ...sleep, deleteAt: Math.max(graceEnd(record, intake), record.keepUntil), deleteWarningAt: null };
  const idle = idleDelete(record, sleepAt, intake);
  if (!idle) return { ...sleep, deleteAt: null, deleteWarningAt: null };
  const deleteAt = Math.max(idle.at, record.keepUntil);
  return { ...sleep, deleteAt, deleteWarningAt: deleteWarningAt(record, deleteAt, idle) };
}

/** Returns when a `delete` alarm has something to do next, in ms: the warning, if it is not sent yet, or the delete; null: never. */
export function deleteStop({ deleteAt, deleteWarningAt }: Deadlines): number | null {
  return deleteWarningAt ?? deleteAt;
}
