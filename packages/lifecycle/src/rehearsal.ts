import { type Action, type Cause, type Decision, deadlines, type SessionRecord } from '@sandman/core';

/** The least time between two looks, in ms, however short a policy. */
const LEAST_MS = 100;
/** How long until the next look at what waits for somebody, in ms. */
const LONGEST_MS = 3_600_000;

type Call = Exclude<Action, 'status'>;

export interface RehearsalOptions {
  /** Whether it is the first time that this is said of the session. */
  readonly isNew: (uuid: string, what: string) => Promise<boolean>;
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
    // What somebody asked for is known by its alarm number, which a request draws.
    const due = decision.kind !== 'want' ? record.n : would === 'sleep' ? sleepAt : deleteAt;
    if (await this.#on.isNew(record.uuid, `${would} ${due}`)) this.#on.wouldCall(would, record.uuid, wanted.cause);
    const untilDelete = deleteAt !== null && deleteAt > now && record.wanted !== 'gone' ? deleteAt - now : LONGEST_MS;
    return Math.max(LEAST_MS, Math.min(untilDelete, sleepAfter ?? deleteAfter ?? LONGEST_MS, LONGEST_MS));
  }
}
