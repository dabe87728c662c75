import { type Action, type Cause, type Decision, deadlines, type SessionRecord } from '@sandman/core';

/** The least time until an alarm rings again, in ms, however short a policy is. */
const LEAST_MS = 1_000;
/** The longest time until an alarm rings again after a deadline, in ms. */
const LONGEST_MS = 3_600_000;
/** The longest time until an alarm rings again for a change that was requested, in ms. */
const ASKED_MS = 15_000;

type Call = Exclude<Action, 'status'>;

/** Returns times that tell one request from the next, in ms, by call. A delete has none, because it happens once. */
const askedOf = ({ manualSleepAt, sleptAt }: SessionRecord) => ({ sleep: manualSleepAt, wake: sleptAt, delete: null });

export interface RehearsalOptions {
  /** Returns whether `what` has not been reported of the session for a deadline at or after `due` (ms). */
  readonly isNew: (uuid: string, what: string, due: number) => Promise<boolean>;
  /** Called once for each deadline or request, with the call that would be made. */
  readonly wouldCall: (call: Call, uuid: string, cause: Cause) => void;
}

/** The dry run: reports the calls that would be made, and changes neither pods nor records. */
export class Rehearsal {
  readonly #on: RehearsalOptions;

  constructor(options: RehearsalOptions) {
    this.#on = options;
  }

  /**
   * Reports the call that would be made now, unless it was reported before.
   *
   * @param call the call that `decision` leads to; null: it leads to none now
   * @returns in how many ms the next step can be due; activity from now on can only make its deadline later than that
   */
  async stop(record: SessionRecord, decision: Decision, call: Action | null, now: number): Promise<number> {
    const { sleepAfter, deleteAfter } = record.policy;
    const wanted = decision.kind === 'want' ? { ...record, ...decision.patch } : record;
    const would: Call = call !== null && call !== 'status' ? call : wanted.wanted === 'gone' ? 'delete' : 'sleep';
    const { sleepAt, deleteAt } = deadlines(record);
    const due = decision.kind === 'want' ? { sleep: sleepAt, delete: deleteAt, wake: null } : askedOf(record);
    if (await this.#on.isNew(record.uuid, `${would} ${wanted.cause}`, due[would] ?? 0))
      this.#on.wouldCall(would, record.uuid, wanted.cause);
    const next = [deleteAt, record.verifyAt].filter((at) => at !== null && at > now && record.wanted !== 'gone') as number[];
    // A change that was requested should be made soon after the dry run is over.
    const longest = decision.kind === 'want' ? LONGEST_MS : ASKED_MS;
    return Math.max(LEAST_MS, Math.min(...next.map((at) => at - now), sleepAfter ?? deleteAfter ?? longest, longest));
  }
}
