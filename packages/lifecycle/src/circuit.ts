import type { Action, Outcome } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** So many different sessions in a row, with nothing going well in between, open the circuit. */
const FAILING_SESSIONS = 5;
/** What lies further back than this does not count any more, in ms. */
const MEMORY_MS = 60_000;
/** How long it stays open before one call may try, in ms: at first, and at most. */
const FIRST_OPEN_MS = 1_000;
const LONGEST_OPEN_MS = 10_000;
/** Over how long the work that waited is spread out, in ms. */
const SPREAD_MS = { wake: 200, other: 5_000 } as const;

/** What is wrong with the session-manager: calls fail, and the circuit is open, or it answers 404 for all of our sessions. */
export type Trouble = 'failing' | 'not-found';

/**
 * Stops a process from calling a session-manager that serves nobody. It counts sessions and not calls, so that one
 * broken pod, called again and again, is never taken for a broken session-manager.
 *
 * A session-manager that answers 404 for one known session after the other may be one at a wrong address: from the fifth
 * on, and until a call succeeds, such an answer is a failure and ends no session. It holds up no other call, because the
 * sessions may as well be dead, and others live.
 */
export class Circuit {
  readonly #surroundings: Surroundings;
  readonly #changed: (trouble: Trouble | null) => void;
  readonly #since: Record<Trouble, Map<string, number>> = { failing: new Map(), 'not-found': new Map() };
  #openFor = 0;
  #tryAt = 0;
  #isDoubted = false;

  /** @param changed told what is wrong; null: nothing is any more */
  constructor(surroundings: Surroundings, changed: (trouble: Trouble | null) => void) {
    this.#surroundings = surroundings;
    this.#changed = changed;
  }

  get isOpen(): boolean {
    return this.#openFor > 0;
  }

  /** How long a call must wait, in ms; 0: it may try to enter. */
  wait(action: Action): number {
    const left = this.#tryAt - this.#surroundings.elapsed();
    if (!this.isOpen || left <= 0) return 0;
    return Math.ceil(left + this.#surroundings.chance() * SPREAD_MS[action === 'wake' ? 'wake' : 'other']);
  }

  /** Whether a call may be made now. Of an open circuit one call at a time may try. */
  enter(): boolean {
    if (!this.isOpen) return true;
    if (this.#surroundings.elapsed() < this.#tryAt) return false;
    this.#open(Math.min(LONGEST_OPEN_MS, this.#openFor * 2));
    return true;
  }

  /** Learns from the end of a call, and says what to believe of it. */
  judge(uuid: string, outcome: Outcome): Outcome {
    if (outcome.kind === 'done') {
      if (this.isOpen || this.#isDoubted) this.#changed(null);
      this.#openFor = 0;
      this.#isDoubted = false;
      this.#since.failing.clear();
      this.#since['not-found'].clear();
      return outcome;
    }
    if (outcome.kind === 'gone') return this.#judgeNotFound(uuid, outcome);
    if (this.#count('failing', uuid) >= FAILING_SESSIONS && !this.isOpen) {
      this.#open(FIRST_OPEN_MS);
      this.#changed('failing');
    }
    return outcome;
  }

  #judgeNotFound(uuid: string, outcome: Outcome): Outcome {
    if (this.#count('not-found', uuid) < FAILING_SESSIONS) return outcome;
    if (!this.#isDoubted && !this.isOpen) this.#changed('not-found');
    this.#isDoubted = true;
    return { kind: 'transient', sent: true, error: 'HTTP 404, as for every other session: is this the right session-manager?' };
  }

  #count(trouble: Trouble, uuid: string): number {
    const now = this.#surroundings.elapsed();
    const sessions = this.#since[trouble];
    sessions.set(uuid, now);
    // Of a session-manager in trouble nothing is forgotten: few tries must not end with a wrong address being believed after all.
    if (!this.isOpen && !this.#isDoubted) for (const [other, at] of sessions) if (now - at > MEMORY_MS) sessions.delete(other);
    return sessions.size;
  }

  #open(ms: number): void {
    this.#openFor = ms;
    this.#tryAt = this.#surroundings.elapsed() + ms;
  }
}
