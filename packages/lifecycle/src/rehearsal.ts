import { type Action, type Cause, type Decision, deadlines, type SessionRecord } from '@sandman/core';

/** The least time between two looks, in ms, however short a policy. */
const LEAST_MS = 1_000;
/** How long until the next look at what waits for somebody, in ms. */
const LONGEST_MS = 3_600_000;
/** The same of what somebody asked for, in ms. */
const ASKED_MS = 15_000;

type Call = Exclude<Action, 'status'>;

/** When what was asked for came up, in ms: tells one request from the next. A session is deleted once. */
const askedOf = ({ manualSleepAt, sleptAt }: SessionRecord) => ({ sleep: manualSleepAt, wake: sleptAt, delete: null });

export interface RehearsalOptions {
  /** Whether this was said of the session for no deadline as late as `due` (ms) yet. */
  readonly isNew: (uuid: string, what: string, due: number) => Promise<boolean>;
  /** Told what would have been called, once a deadline. */
  readonly wouldCall: (call: Call, uuid: string, cause: Cause) => void;
}

/** A dry run: what would be called is said, and neither the pod nor its record is touched. */
export class Rehearsal {
  readonly #on: RehearsalOptions;

  constructor(options: RehearsalOptions) {
    this.#on = options;
  }

  /**
   * Says what would come now, if nobody has yet.
   *
   * @param call null: what is decided would wait still
   * @returns in how many ms the next thing can be due: any activity from now on makes its deadline later than that
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
    // What somebody waits for should not wait for long once the dry run is over.
    const longest = decision.kind === 'want' ? LONGEST_MS : ASKED_MS;
    return Math.max(LEAST_MS, Math.min(...next.map((at) => at - now), sleepAfter ?? deleteAfter ?? longest, longest));
  }
}
