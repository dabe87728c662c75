import { type Cause, deadlines, decide, hasGrace, type PodChange, type SessionRecord } from '@sandman/core';
import type { CallDecision } from './pod-call.ts';

/** The least time until an alarm rings again, in ms, however short a policy is. */
const SHORTEST_MS = 1_000;
/** The longest time until an alarm rings again after a deadline, in ms. */
const LONGEST_MS = 3_600_000;
/** The longest time until an alarm rings again for a change that was requested, in ms. */
const REQUESTED_MS = 15_000;

/** Returns times that tell one request from the next, in ms, by call. A delete has none, because it happens once. */
const requestTimes = ({ manualSleepAt, sleptAt }: SessionRecord) => ({ sleep: manualSleepAt, wake: sleptAt, delete: null });

type PodChangeDecision = Exclude<CallDecision, { action: 'status' }>;

export interface DryRunOptions {
  /** Returns whether `what` has not been reported of the session for a deadline at or after `due` (ms). */
  readonly isNew: (uuid: string, what: string, due: number) => Promise<boolean>;
  /** Called once for each deadline or request, with the call that would be made. */
  readonly wouldCall: (call: PodChange, uuid: string, cause: Cause) => void;
}

/** The dry run: reports the calls that would be made, and changes neither pods nor records. */
export class DryRun {
  readonly #options: DryRunOptions;

  constructor(options: DryRunOptions) {
    this.#options = options;
  }

  /** Reports the sleep or delete that would be decided on now, if one is due and was not reported before. */
  async reportDue(record: SessionRecord, now: number): Promise<void> {
    const decision = decide(record, now);
    if (decision.kind === 'want') await this.report(record, decision, now);
  }

  /**
   * Reports the call that would be made now, unless it was reported before.
   *
   * @param decision a decision that leads to a call, now or later, but not to a status read
   * @returns in how many ms the next step can be due; activity from now on can only make its deadline later than that
   */
  async report(record: SessionRecord, decision: PodChangeDecision, now: number): Promise<number> {
    const { sleepAfter, deleteAfter } = record.policy;
    const wanted = decision.kind === 'want' ? { ...record, ...decision.patch } : record;
    const would = decision.action ?? (wanted.wanted === 'gone' ? 'delete' : 'sleep');
    const { sleepAt, deleteAt } = deadlines(record);
    // Without the notice after a change of the policy: workers see the change at different times, and each would report.
    const idle = { sleep: sleepAt, delete: deadlines({ ...record, noticeUntil: 0 }).deleteAt, wake: null };
    const due = decision.kind === 'want' ? idle : requestTimes(record);
    // A delete without a grace may be requested after one with a grace was reported.
    const what = `${would} ${wanted.cause}${decision.kind === 'want' && hasGrace(record) ? ' grace' : ''}`;
    if (await this.#options.isNew(record.uuid, what, due[would] ?? 0)) this.#options.wouldCall(would, record.uuid, wanted.cause);
    const next = [deleteAt, record.verifyAt].filter((at) => at !== null && at > now && record.wanted !== 'gone') as number[];
    // A change that was requested should be made soon after the dry run is over.
    const longest = decision.kind === 'want' ? LONGEST_MS : REQUESTED_MS;
    return Math.max(SHORTEST_MS, Math.min(...next.map((at) => at - now), sleepAfter ?? deleteAfter ?? longest, longest));
  }
}
