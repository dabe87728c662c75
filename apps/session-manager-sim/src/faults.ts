import type { Call } from './pods.ts';

/** What goes wrong with a call. Times in ms. */
export interface Fault {
  /** Answers this status instead of acting. */
  readonly status?: number;
  readonly retryAfter?: string;
  /** Waits before acting, and after it before answering. */
  readonly delayMs?: number;
  readonly afterMs?: number;
  /** Never answers, nor acts (but see `lateMs`). */
  readonly hang?: boolean;
  /** Cuts the connection before or after acting. */
  readonly cut?: 'before' | 'after';
  /** Acts that much later, and answers 504 at once; or what `status`, `cut` or `hang` beside it say. */
  readonly lateMs?: number;
}

export interface FaultRule {
  readonly call?: Call;
  readonly uuid?: string;
  /** How often it strikes; without it, always. */
  readonly times?: number;
  /** It strikes one of so many calls that it fits, the first of them first; without it, each. */
  readonly every?: number;
  readonly fault: Fault;
}

/** The faults in force; the oldest that fits a call strikes. */
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

  /** False where there is no such fault, or no more. */
  remove(id: number): boolean {
    return this.#rules.delete(id);
  }

  clear(): void {
    this.#rules.clear();
  }

  strike(call: Call, uuid: string): Fault {
    for (const [id, rule] of this.#rules) {
      if ((rule.call !== undefined && rule.call !== call) || (rule.uuid !== undefined && rule.uuid !== uuid)) continue;
      if (rule.seen++ % (rule.every ?? 1) !== 0) continue;
      if (--rule.left <= 0) this.#rules.delete(id);
      return rule.fault;
    }
    return {};
  }
}
