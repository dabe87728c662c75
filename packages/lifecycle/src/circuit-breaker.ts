import type { Action, Outcome } from '@sandman/core';
import type { System } from './system.ts';

/** After failed calls for this many different sessions, with no success in between, a probe checks the session-manager. */
const FAILING_SESSIONS = 5;
/** How long a failure counts, in ms. */
const FAILURE_COUNTS_MS = 60_000;
/** The time between probes while the circuit is open, in ms: it begins at the first value and doubles up to the second. */
const FIRST_OPEN_MS = 1_000;
const LONGEST_OPEN_MS = 5_000;
/** Over how long the calls that wait are spread out, in ms. */
const SPREAD_MS = { wake: 200, other: 5_000 } as const;
/** How long the circuit must be open before the trial call may also be the wake of a session whose calls did not fail, in ms. */
const LAST_RESORT_MS = 60_000;

/** What is wrong: the session-manager's calls fail and the circuit is open, or it answers 404 for all of Sandman's sessions. */
export type Trouble = 'failing' | 'not-found';

export interface CircuitBreakerOptions {
  readonly system: System;
  /** Reads the status of sessions other than these, and returns whether the session-manager answers. Never rejects. */
  readonly probe: (failing: { has(uuid: string): boolean }) => Promise<boolean>;
  /** Called when a trouble begins, or when it is over (null). */
  readonly changed: (trouble: Trouble | null) => void;
}

/**
 * The circuit breaker: stops a process from calling a session-manager that answers no calls.
 *
 * Broken pods can make calls fail although the session-manager works, and for a while they may be the only ones called. So
 * when calls for five different sessions have failed without a success in between, a probe reads the status of sessions
 * whose calls do not fail. The circuit opens only if none of them is answered. While it is open, probes go on, and the first
 * answer closes it.
 *
 * With each probe, one waiting call may be made too, in case the session-manager answers no status reads. It may be a wake
 * only if its own session's calls fail already: a wake that fails has to wait for its backoff after the session-manager has
 * recovered.
 *
 * If the session-manager answers 404 for one known session after the other, its address may be wrong. From the fifth
 * session on, and until a call succeeds, a 404 counts as a failure and ends no session. It stops no other call, because
 * those sessions may really be gone while others live.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #since: Record<Trouble, Map<string, number>> = { failing: new Map(), 'not-found': new Map() };
  #openFor = 0;
  #round = 0;
  #openedAt = 0;
  #tryAt = 0;
  /** Whether one trial call may be made. */
  #trial = false;
  #isProbing = false;
  #isDoubted = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#openFor > 0;
  }

  /** Returns how long a call must wait, in ms; 0: it may call {@link enter}. */
  wait(action: Action, uuid: string): number {
    const { system } = this.#options;
    if (!this.isOpen || (this.#trial && this.#mayTry(action, uuid))) return 0;
    const left = Math.max(0, this.#tryAt - system.elapsed());
    return Math.max(1, Math.ceil(left + system.random() * SPREAD_MS[action === 'wake' ? 'wake' : 'other']));
  }

  /** Returns whether a call may be made now. While the circuit is open, one call may be made after each probe begins. */
  enter(action: Action, uuid: string): boolean {
    if (!this.isOpen) return true;
    if (!this.#trial || !this.#mayTry(action, uuid)) return false;
    this.#trial = false;
    return true;
  }

  #mayTry(action: Action, uuid: string): boolean {
    const isLong = this.#options.system.elapsed() - this.#openedAt > LAST_RESORT_MS;
    return action !== 'wake' || this.#since.failing.has(uuid) || isLong;
  }

  /** Records the outcome of a call, and returns it as it is to be taken: a 404 that is not believed becomes a transient failure. */
  recordAndCorrect(uuid: string, outcome: Outcome): Outcome {
    if (outcome.kind === 'done') {
      if (this.#isDoubted && !this.isOpen) this.#options.changed(null);
      this.#isDoubted = false;
      this.#since['not-found'].clear();
      this.#close();
      return outcome;
    }
    if (outcome.kind === 'gone') return this.#recordNotFound(uuid, outcome);
    if (this.#count('failing', uuid) >= FAILING_SESSIONS && !this.isOpen && !this.#isProbing) this.#suspect();
    return outcome;
  }

  /** Probes whether only the recorded sessions fail, and opens the circuit if no other is answered. */
  async #suspect(): Promise<void> {
    this.#isProbing = true;
    const answers = await this.#options.probe(this.#since.failing);
    this.#isProbing = false;
    if (answers) this.#since.failing.clear();
    // A call may have succeeded meanwhile.
    if (this.#since.failing.size < FAILING_SESSIONS || this.isOpen) return;
    this.#openedAt = this.#options.system.elapsed();
    this.#open(FIRST_OPEN_MS);
    this.#options.changed('failing');
  }

  /** Opens the circuit for `ms`, then probes. The next probe is timed before this one is answered, because it may hang. */
  async #open(ms: number): Promise<void> {
    const { system, probe } = this.#options;
    this.#openFor = ms;
    this.#tryAt = system.elapsed() + ms;
    const round = ++this.#round;
    await system.pause(ms);
    // The circuit was closed meanwhile.
    if (round !== this.#round) return;
    this.#trial = true;
    this.#open(Math.min(LONGEST_OPEN_MS, ms * 2));
    if (await probe(this.#since.failing)) this.#close();
  }

  #close(): void {
    if (this.isOpen) this.#options.changed(this.#isDoubted ? 'not-found' : null);
    this.#openFor = 0;
    this.#round++;
    this.#trial = false;
    this.#since.failing.clear();
  }

  #recordNotFound(uuid: string, outcome: Outcome): Outcome {
    if (this.#count('not-found', uuid) < FAILING_SESSIONS) return outcome;
    if (!this.#isDoubted && !this.isOpen) this.#options.changed('not-found');
    this.#isDoubted = true;
    return { kind: 'transient', sent: true, error: 'HTTP 404, as for every other session: is this the right session-manager?' };
  }

  #count(trouble: Trouble, uuid: string): number {
    const now = this.#options.system.elapsed();
    const sessions = this.#since[trouble];
    sessions.set(uuid, now);
    // During a trouble no failure is forgotten. Few calls are made then, and the count must not fall so low that a 404 from a
    // wrong address is believed.
    if (!this.isOpen && !this.#isDoubted) for (const [other, at] of sessions) if (now - at > FAILURE_COUNTS_MS) sessions.delete(other);
    return sessions.size;
  }
}
