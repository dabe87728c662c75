import type { Action, Outcome, PodConnection, PodControl, Random } from '@sandman/core';
import type { SimulatedProcess } from './process.ts';
import type { Timeline } from './timeline.ts';

/** How a call may fail, in the kinds that the session-manager's client tells apart. */
export type CallFault =
  /** A 5xx, and the call has no effect. */
  | 'failed'
  /** A 5xx, although the call takes effect. */
  | 'failed-after'
  /** A 429 with `Retry-After`. */
  | 'throttled'
  /** Never answered; takes effect within `timeout` + `late`. */
  | 'late'
  /** Never answered, and without effect. */
  | 'hung'
  /** Takes effect, but the connection breaks before the answer. */
  | 'cut'
  /** Not sent at all. */
  | 'refused'
  | 'slow'
  /** A 404 although the pod exists. */
  | 'not-found';

/** Faults that may last for any time. `not-found` is not among them: a 404 that lasts is believed, as it should be. */
export const CALL_FAULTS: readonly CallFault[] = ['failed', 'failed-after', 'throttled', 'late', 'hung', 'cut', 'refused', 'slow'];

/** A connection that takes longer to open, in ms, counts as a fault. */
const SLOW_CONNECTION_MS = 20;
/** A `Retry-After` too long to be obeyed, in ms. */
const A_DAY_MS = 86_400_000;

/** `SESSION_MANAGER_TIMEOUT` and `LATE_EFFECT_BOUND`, in ms. */
export interface CallTimeLimits {
  readonly timeout: number;
  readonly late: number;
}

export interface SimulatedCall {
  readonly action: Action;
  readonly uuid: string;
  readonly token: string;
  readonly process: SimulatedProcess;
  readonly at: number;
}

export interface PodWatcher {
  called(call: SimulatedCall): void;
  faulted(fault: CallFault): void;
  tookEffect(call: SimulatedCall): void;
}

/** A simulated session-manager. */
export class SimulatedPods {
  /** The faults that may strike, and the share of calls that one strikes (0 to 1). */
  faults: readonly CallFault[] = [];
  faultRate = 0;
  /** A fault for the next call that is served; set in `PodWatcher.called`, it strikes that call. */
  nextFault: CallFault | null = null;
  /** Every call gets a 404, as from an ingress without a backend. */
  unreachable = false;
  /** How long after its creation calls for a pod get a 404, in ms. */
  hiddenFor = 0;
  /** How long a connection takes to open, at most, in ms. */
  connectsWithin = 3;
  /** Pods for which every call fails, for good. These failures do not count as faults. */
  readonly broken = new Set<string>();
  readonly #pods = new Map<string, 'awake' | 'asleep'>();
  readonly #createdAt = new Map<string, number>();
  readonly #asleepSince = new Map<string, number>();
  readonly #inFlight = new Set<SimulatedCall>();
  readonly #latestEffects = new Map<string, number>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #watcher: PodWatcher;
  readonly #bounds: CallTimeLimits;

  constructor(timeline: Timeline, random: Random, bounds: CallTimeLimits, watcher: PodWatcher) {
    this.#bounds = bounds;
    this.#timeline = timeline;
    this.#random = random;
    this.#watcher = watcher;
  }

  create(uuid: string): void {
    this.#set(uuid, 'awake');
    this.#createdAt.set(uuid, this.#timeline.now);
  }

  /** Deletes a pod without Sandman. */
  remove(uuid: string): void {
    this.#pods.delete(uuid);
  }

  /** Scales a pod without Sandman. @returns false if there is none */
  scale(uuid: string, pod: 'awake' | 'asleep'): boolean {
    if (!this.#pods.has(uuid)) return false;
    this.#set(uuid, pod);
    return true;
  }

  #set(uuid: string, pod: 'awake' | 'asleep'): void {
    if (pod === 'asleep' && this.#pods.get(uuid) !== 'asleep') this.#asleepSince.set(uuid, this.#timeline.now);
    this.#pods.set(uuid, pod);
  }

  /** Whether the pod is asleep and has been since before `at` (ms). */
  sleptThroughSince(uuid: string, at: number): boolean {
    return this.actualState(uuid) === 'asleep' && (this.#asleepSince.get(uuid) ?? 0) < at;
  }

  actualState(uuid: string): 'awake' | 'asleep' | 'gone' {
    return this.#pods.get(uuid) ?? 'gone';
  }

  inFlight(uuid: string): SimulatedCall[] {
    return [...this.#inFlight].filter((call) => call.uuid === uuid);
  }

  /** The latest time at which a call sent so far takes effect on the pod, in ms; 0: there is none. */
  latestEffectAt(uuid: string): number {
    return this.#latestEffects.get(uuid) ?? 0;
  }

  controlFrom(process: SimulatedProcess): PodControl {
    const call: PodConnection['call'] = (action, uuid, token) =>
      new Promise((resolve) => {
        const made: SimulatedCall = { action, uuid, token, process, at: this.#timeline.now };
        this.#watcher.called(made);
        this.#inFlight.add(made);
        this.#serve(made, (outcome) => {
          this.#inFlight.delete(made);
          process.deliver(() => resolve(outcome));
        });
      });
    return {
      open: () =>
        new Promise((resolve) => {
          const takes = this.#random.between(0, this.connectsWithin);
          const strike = () => {
            if (takes > SLOW_CONNECTION_MS) this.#watcher.faulted('slow');
          };
          strike();
          this.#timeline.in(takes, () => {
            strike();
            process.deliver(() => resolve({ call, release: () => {} }));
          });
        }),
    };
  }

  #serve(call: SimulatedCall, answer: (outcome: Outcome) => void): void {
    const { action } = call;
    const random = this.#random;
    const { timeout, late } = this.#bounds;
    const struck = this.nextFault ?? (this.faultRate > 0 && random.chance(this.faultRate) ? random.pick(this.faults) : null);
    const fault = this.#isHidden(call.uuid) ? 'not-found' : struck;
    this.nextFault = null;
    if (fault) this.#watcher.faulted(fault);
    const reach = random.between(1, 20);
    const back = random.between(1, 20);
    const answerIn = (ms: number, outcome: Outcome) => this.#timeline.in(ms, () => answer(outcome));
    const land = (ms: number, then: (outcome: Outcome) => void) => this.#applyIn(call, ms, then);
    switch (fault ?? (this.broken.has(call.uuid) ? 'failed' : null)) {
      case null:
        land(reach, (outcome) => answerIn(back, outcome));
        break;
      case 'slow':
        land(random.between(20, timeout - 200), (outcome) => answerIn(back, outcome));
        break;
      case 'failed':
        answerIn(reach + back, { kind: 'transient', sent: true, error: 'HTTP 500' });
        break;
      case 'failed-after':
        land(reach, () => answerIn(back, { kind: 'transient', sent: true, error: 'HTTP 500' }));
        break;
      case 'throttled':
        answerIn(reach + back, {
          kind: 'transient',
          sent: false,
          error: 'HTTP 429',
          retryAfter: random.chance(0.2) ? A_DAY_MS : random.between(100, 5_000),
        });
        break;
      case 'not-found':
        answerIn(reach + back, { kind: 'gone' });
        break;
      case 'refused':
        answerIn(1, { kind: 'transient', sent: false, error: 'connection refused' });
        break;
      case 'cut':
        land(reach, () => answerIn(back, this.#unanswered(action, 'connection broken')));
        break;
      case 'late':
        land(random.between(1, timeout + late - 50), () => {});
        answerIn(timeout, this.#unanswered(action, 'timed out'));
        break;
      case 'hung':
        answerIn(timeout, this.#unanswered(action, 'timed out'));
    }
  }

  #isHidden(uuid: string): boolean {
    return this.unreachable || this.#timeline.now < (this.#createdAt.get(uuid) ?? 0) + this.hiddenFor;
  }

  #unanswered(action: Action, error: string): Outcome {
    return action === 'status' ? { kind: 'transient', sent: true, error } : { kind: 'unknown', error };
  }

  /** Applies a call in `ms`, even if its caller is paused or killed meanwhile. */
  #applyIn(call: SimulatedCall, ms: number, then: (outcome: Outcome) => void): void {
    const { action, uuid } = call;
    if (action !== 'status') this.#latestEffects.set(uuid, Math.max(this.latestEffectAt(uuid), this.#timeline.now + ms));
    this.#timeline.in(ms, () => {
      const outcome = this.#apply(action, uuid);
      this.#watcher.tookEffect(call);
      then(outcome);
    });
  }

  #apply(action: Action, uuid: string): Outcome {
    const pod = this.#pods.get(uuid);
    if (!pod) return { kind: 'gone' };
    if (action === 'status') return { kind: 'done', pod };
    if (action === 'delete') this.#pods.delete(uuid);
    else this.#set(uuid, action === 'wake' ? 'awake' : 'asleep');
    return { kind: 'done' };
  }
}
