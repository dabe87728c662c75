import type { SimulatedCallName } from './pods.ts';

/** How a call fails. Times in ms. */
export interface SimulatedFault {
  /** Answers this status instead of acting. */
  readonly status?: number;
  readonly retryAfter?: string;
  /** Waits before acting (`delayMs`), and between acting and answering (`afterMs`). */
  readonly delayMs?: number;
  readonly afterMs?: number;
  /** Never answers, and does not act except with `lateMs`. */
  readonly hang?: boolean;
  /** Cuts the connection before or after acting. */
  readonly cut?: 'before' | 'after';
  /** Acts this much later, and answers 504 at once, or as `status`, `cut` or `hang` beside it say. */
  readonly lateMs?: number;
}

export interface FaultRule {
  readonly call?: SimulatedCallName;
  readonly uuid?: string;
  /** How many calls the fault applies to; without it, all. */
  readonly times?: number;
  /** The fault applies to every n-th matching call, beginning with the first; without it, to each. */
  readonly every?: number;
  readonly fault: SimulatedFault;
}

/** The faults in force. If several match a call, the oldest applies. */
export class Faults {
  readonly #rules = new Map<number, FaultRule & { left: number; seen: number }>();
  #lastId = 0;

  add(rule: FaultRule): number {
    this.#rules.set(++this.#lastId, { ...rule, left: rule.times ?? Number.POSITIVE_INFINITY, seen: 0 });
    return this.#lastId;
  }

  list(): (FaultRule & { id: number })[] {
    return [...this.#rules].map(([id, { left, seen: _, ...rule }]) => ({
      id,
      ...rule,
      ...(rule.times === undefined ? {} : { times: left }),
    }));
  }

  /** Returns false if there is no such fault, or it is used up. */
  remove(id: number): boolean {
    return this.#rules.delete(id);
  }

  clear(): void {
    this.#rules.clear();
  }

  match(call: SimulatedCallName, uuid: string): SimulatedFault {
    for (const [id, rule] of this.#rules) {
      if ((rule.call !== undefined && rule.call !== call) || (rule.uuid !== undefined && rule.uuid !== uuid)) continue;
      if (rule.seen++ % (rule.every ?? 1) !== 0) continue;
      if (--rule.left <= 0) this.#rules.delete(id);
      return rule.fault;
    }
    return {};
  }
}
