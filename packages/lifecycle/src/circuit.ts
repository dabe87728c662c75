import type { Action, Outcome } from '@sandman/core';
import type { Surroundings } from './surroundings.ts';

/** So many different sessions in a row, with nothing going well in between, raise the question whether anything does. */
const FAILING_SESSIONS = 5;
/** What lies further back than this does not count any more, in ms. */
const MEMORY_MS = 60_000;
/** From one probe to the next while it is open, in ms: at first, and at most. */
const FIRST_OPEN_MS = 1_000;
const LONGEST_OPEN_MS = 5_000;
/** Over how long the work that waited is spread out, in ms. */
const SPREAD_MS = { wake: 200, other: 5_000 } as const;
/** After this long, in ms, also the wake of a session whose own calls did not fail may be what is tried. */
const LAST_RESORT_MS = 60_000;

/** What is wrong with the session-manager: calls fail, and the circuit is open, or it answers 404 for all of our sessions. */
export type Trouble = 'failing' | 'not-found';

export interface CircuitOptions {
  readonly surroundings: Surroundings;
  /** Asks the session-manager for sessions other than these: whether it answers. Never rejects. */
  readonly probe: (failing: { has(uuid: string): boolean }) => Promise<boolean>;
  /** Told what is wrong; null: nothing is any more. */
  readonly changed: (trouble: Trouble | null) => void;
}

/**
 * Stops a process from calling a session-manager that serves nobody.
 *
 * Broken pods fail on a session-manager that is well, and for a while nothing else may be called. So when calls for five
 * different sessions have failed in a row, a probe reads the statuses of sessions whose calls do not fail. The circuit opens
 * only if none of them is answered. While it is open, probes go on, and the first answer closes it.
 *
 * After each probe one waiting call may be made as well, in case the session-manager answers no statuses. It is not a wake,
 * unless the calls of its own session fail: a wake that fails has to wait for its back-off when all is well again.
 *
 * A session-manager that answers 404 for one known session after the other may be one at a wrong address: from the fifth
 * on, and until a call succeeds, such an answer is a failure and ends no session. It holds up no other call, because the
 * sessions may as well be dead, and others live.
 */
export class Circuit {
  readonly #on: CircuitOptions;
  readonly #since: Record<Trouble, Map<string, number>> = { failing: new Map(), 'not-found': new Map() };
  #openFor = 0;
  #round = 0;
  #openedAt = 0;
  #tryAt = 0;
  /** Whether one call may try. */
  #trial = false;
  #isProbing = false;
  #isDoubted = false;

  constructor(options: CircuitOptions) {
    this.#on = options;
  }

  get isOpen(): boolean {
    return this.#openFor > 0;
  }

  /** How long a call must wait, in ms; 0: it may try to enter. */
  wait(action: Action, uuid: string): number {
    const { surroundings } = this.#on;
    if (!this.isOpen || (this.#trial && this.#mayTry(action, uuid))) return 0;
    const left = Math.max(0, this.#tryAt - surroundings.elapsed());
    return Math.max(1, Math.ceil(left + surroundings.chance() * SPREAD_MS[action === 'wake' ? 'wake' : 'other']));
  }

  /** Whether a call may be made now. Of an open circuit, one call may try after each probe. */
  enter(action: Action, uuid: string): boolean {
    if (!this.isOpen) return true;
    if (!this.#trial || !this.#mayTry(action, uuid)) return false;
    this.#trial = false;
    return true;
  }

  #mayTry(action: Action, uuid: string): boolean {
    const isLong = this.#on.surroundings.elapsed() - this.#openedAt > LAST_RESORT_MS;
    return action !== 'wake' || this.#since.failing.has(uuid) || isLong;
  }

  /** Learns from the end of a call, and says what to believe of it. */
  judge(uuid: string, outcome: Outcome): Outcome {
    if (outcome.kind === 'done') {
      if (this.#isDoubted && !this.isOpen) this.#on.changed(null);
      this.#isDoubted = false;
      this.#since['not-found'].clear();
      this.#close();
      return outcome;
    }
    if (outcome.kind === 'gone') return this.#judgeNotFound(uuid, outcome);
    if (this.#count('failing', uuid) >= FAILING_SESSIONS && !this.isOpen && !this.#isProbing) this.#suspect();
    return outcome;
  }

  /** Finds out whether only these sessions fail. */
  async #suspect(): Promise<void> {
    this.#isProbing = true;
    const answers = await this.#on.probe(this.#since.failing);
    this.#isProbing = false;
    if (answers) this.#since.failing.clear();
    // Something may have gone well meanwhile.
    if (this.#since.failing.size < FAILING_SESSIONS || this.isOpen) return;
    this.#openedAt = this.#on.surroundings.elapsed();
    this.#open(FIRST_OPEN_MS);
    this.#on.changed('failing');
  }

  /** Each probe has its time, whether the one before it was answered or hangs. */
  async #open(ms: number): Promise<void> {
    const { surroundings, probe } = this.#on;
    this.#openFor = ms;
    this.#tryAt = surroundings.elapsed() + ms;
    const round = ++this.#round;
    await surroundings.pause(ms);
    // It was closed meanwhile.
    if (round !== this.#round) return;
    this.#trial = true;
    this.#open(Math.min(LONGEST_OPEN_MS, ms * 2));
    if (await probe(this.#since.failing)) this.#close();
  }

  #close(): void {
    if (this.isOpen) this.#on.changed(this.#isDoubted ? 'not-found' : null);
    this.#openFor = 0;
    this.#round++;
    this.#trial = false;
    this.#since.failing.clear();
  }

  #judgeNotFound(uuid: string, outcome: Outcome): Outcome {
    if (this.#count('not-found', uuid) < FAILING_SESSIONS) return outcome;
    if (!this.#isDoubted && !this.isOpen) this.#on.changed('not-found');
    this.#isDoubted = true;
    return { kind: 'transient', sent: true, error: 'HTTP 404, as for every other session: is this the right session-manager?' };
  }

  #count(trouble: Trouble, uuid: string): number {
    const now = this.#on.surroundings.elapsed();
    const sessions = this.#since[trouble];
    sessions.set(uuid, now);
    // Of a session-manager in trouble nothing is forgotten: few tries must not end with a wrong address being believed after all.
    if (!this.isOpen && !this.#isDoubted) for (const [other, at] of sessions) if (now - at > MEMORY_MS) sessions.delete(other);
    return sessions.size;
  }
}
