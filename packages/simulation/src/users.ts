import { deadlines, isAwakeSince, type LiveReading, type Policy, type Random, SandmanError } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import type { ShardState } from './memory-store.ts';
import type { SimulatedPods } from './pods.ts';
import type { SimulatedProcess } from './process.ts';
import type { Timeline } from './timeline.ts';
import type { Verdict } from './verdict.ts';

/** An API that takes requests. */
export interface Door {
  readonly process: SimulatedProcess;
  readonly service: SessionService;
}

export interface UserWorld {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly verdict: Verdict;
  readonly pods: SimulatedPods;
  /** The name of the sessions' policies. */
  readonly policyName: string;
  readonly state: () => ShardState;
  /** An API that is running; null if there is none. */
  readonly door: () => Door | null;
  readonly trace: (text: string) => void;
}

/** How often a caller that waits for a wake checks the record, and for how long at most, in ms. */
const LOOK_AGAIN_MS = 50;
const PATIENCE_MS = 5_000;

/** Draws a policy with short times, in ms, so that a history holds several lives of a session. */
function somePolicy({ random, policyName }: UserWorld): Policy {
  const sleepAfter = random.chance(0.1) ? null : random.pick([3_000, 4_000, 6_000]);
  const deleteAfter = random.chance(0.2) ? null : random.pick([4_000, 7_000, 12_000]);
  return { name: policyName, sleepAfter, deleteAfter, backgroundCap: random.pick([2_000, 10_000, 14_400_000]) };
}

/** Sends the requests of one session's user, and notes what was acknowledged. */
export class User {
  readonly uuid: string;
  readonly #world: UserWorld;

  constructor(uuid: string, world: UserWorld) {
    this.uuid = uuid;
    this.#world = world;
  }

  /** Creates the session, sends random requests until `end` (virtual ms), and then stops. */
  live(end: number): void {
    const { timeline } = this.#world;
    this.create();
    const next = () => {
      timeline.in(this.#wait(), () => {
        if (timeline.now >= end) return;
        this.#something();
        next();
      });
    };
    next();
  }

  /** Draws the ms until the next request: long enough to become idle, or such that it meets a deadline of the session. */
  #wait(): number {
    const { random, timeline, state } = this.#world;
    const stored = state().records.get(this.uuid);
    if (stored?.pod === 'gone' && random.chance(0.5)) return random.between(1, 500);
    if (stored && random.chance(0.6)) {
      const { sleepAt, deleteAt } = deadlines({ ...stored, ingest: state().ingest });
      const near = [sleepAt, deleteAt, stored.actionUntil, stored.verifyAt, stored.retryAt]
        .filter((at) => at !== null && at > timeline.now && at < timeline.now + 10_000)
        .map((at) => (at ?? 0) - timeline.now);
      if (near.length > 0) return random.pick(near) + random.between(-30, 60);
    }
    return random.chance(0.5) ? random.between(1, 60) : random.between(100, 5_000);
  }

  #something(): void {
    const { random } = this.#world;
    const stored = this.#world.state().records.get(this.uuid);
    if (!stored || stored.pod === 'gone') {
      if (random.chance(0.5)) this.create();
      else this.ping();
      return;
    }
    const roll = random.next();
    if (roll < 0.66) this.ping();
    else if (roll < 0.72) this.background();
    else if (roll < 0.8) this.sleep();
    else if (roll < 0.84) this.hold(random.between(500, 6_000));
    else if (roll < 0.86) this.endHold();
    else if (roll < 0.89) this.setPolicy(somePolicy(this.#world));
    else if (roll < 0.92) this.adopt();
    else if (roll < 0.95) this.logout();
    else if (roll < 0.96) this.lose();
    else this.wake();
  }

  /** Creates a pod at the session-manager if there is none, then adopts it, over a tombstone if there is one. */
  create(policy = somePolicy(this.#world)): void {
    const { pods, verdict } = this.#world;
    const life = verdict.life(this.uuid);
    const untracked = pods.truth(this.uuid) === 'gone';
    if (untracked) pods.create(this.uuid);
    life.vague = true;
    this.#ask('create', true, (service) => service.adopt(this.uuid, { userId: 'ada', policy }).then(({ reading }) => reading), {
      told: (_, issued) => verdict.life(this.uuid).seen.push({ at: issued, acked: this.#world.timeline.now }),
    });
  }

  adopt(): void {
    this.#ask('adopt', true, (service) => service.adopt(this.uuid, { userId: 'ada' }).then(({ reading }) => reading), {
      told: (_, issued) => this.#saw(issued),
    });
  }

  /** @param at ms, or null for now; drawn by default, in one of five cases within 5 s of now */
  ping(at = this.#sometime()): void {
    this.#ask('ping', true, (service) => service.activity(this.uuid, 'user', at), {
      told: (_, issued) => this.#saw(Math.min(at ?? issued, issued)),
    });
  }

  #sometime(): number | null {
    const { random, timeline } = this.#world;
    return random.chance(0.8) ? null : timeline.now + random.between(-5_000, 5_000);
  }

  background(): void {
    this.#ask('background', true, (service) => service.activity(this.uuid, 'background', null), {
      told: ({ record }, issued) => {
        if (record.wanted !== 'awake') return;
        this.#world.verdict.life(this.uuid).background.push({ at: issued, acked: this.#world.timeline.now });
      },
    });
  }

  wake(): void {
    this.#ask('wake', true, (service) => service.wake(this.uuid), {
      told: (reading, issued) => {
        this.#saw(issued);
        this.#waitUntilAwake(reading.now, issued);
      },
    });
  }

  /** Waits as a caller of `wake?wait=` does: until the pod is awake or no longer wanted awake, `PATIENCE_MS` at most. */
  #waitUntilAwake(since: number, issued: number): void {
    const { timeline, verdict, state } = this.#world;
    timeline.in(LOOK_AGAIN_MS, () => {
      const stored = state().records.get(this.uuid);
      if (stored?.wanted !== 'awake' || timeline.now > issued + PATIENCE_MS) return;
      if (isAwakeSince({ ...stored, ingest: state().ingest }, since)) verdict.toldAwake(this.uuid, issued);
      else this.#waitUntilAwake(since, issued);
    });
  }

  sleep(): void {
    this.#holding('sleep', (service) => service.sleep(this.uuid));
  }

  hold(ms: number): void {
    this.#world.verdict.life(this.uuid).changed = true;
    this.#holding('hold', (service) => service.hold(this.uuid, { for: ms }));
  }

  endHold(): void {
    this.#holding('end of hold', (service) => service.endHold(this.uuid));
  }

  /** Sends a request that sets or ends a hold. If several are in flight, their order is unknown, so no hold is expected. */
  #holding(what: string, request: (service: SessionService) => Promise<LiveReading>): void {
    const life = this.#world.verdict.life(this.uuid);
    const alone = life.holding === 0;
    const asked = ++life.holdsAsked;
    life.hold = null;
    life.holding++;
    this.#ask(what, false, request, {
      told: ({ record }) => {
        life.holding--;
        const mine = alone && life.holdsAsked === asked;
        life.hold = mine ? { until: record.holdUntil, acked: this.#world.timeline.now } : null;
      },
    });
  }

  setPolicy(policy: Policy): void {
    this.#world.verdict.life(this.uuid).changed = true;
    this.#ask('policy', false, (service) => service.setPolicy(this.uuid, policy), { told: () => {} });
  }

  logout(): void {
    const life = this.#world.verdict.life(this.uuid);
    life.doomed = true;
    this.#ask('logout', false, (service) => service.remove(this.uuid), {
      told: () => {
        // Another life may have begun since the request was sent.
        if (this.#world.verdict.life(this.uuid) === life) life.deletedAt = this.#world.timeline.now;
      },
    });
  }

  /** Deletes the pod without Sandman. */
  lose(): void {
    this.#world.trace(`${this.uuid} loses its pod`);
    const { verdict, pods } = this.#world;
    Object.assign(verdict.life(this.uuid), { doomed: true, vague: true });
    verdict.fault();
    pods.remove(this.uuid);
  }

  #saw(at: number): void {
    this.#world.verdict.life(this.uuid).seen.push({ at, acked: this.#world.timeline.now });
  }

  #ask(
    what: string,
    activity: boolean,
    request: (service: SessionService) => Promise<LiveReading>,
    { told }: { told: (reading: LiveReading, issued: number) => void },
  ): void {
    const { door, timeline, verdict, trace } = this.#world;
    const at = door();
    if (!at) return;
    const issued = timeline.now;
    const { uuid } = this;
    verdict.life(uuid).lastAsked = issued;
    trace(`${uuid}: ${what} at ${at.process.name}`);
    request(at.service).then(
      (reading) => {
        // A request sent before a failover and acknowledged after it may be among the lost writes.
        if (issued <= verdict.rewoundAt) return;
        trace(`${uuid}: ${what} acknowledged, wanted ${reading.record.wanted}, pod ${reading.record.pod}`);
        verdict.acknowledged(uuid, reading.record, issued, { activity });
        told(reading, issued);
      },
      (error) => {
        trace(`${uuid}: ${what} refused, ${error instanceof SandmanError ? error.code : error}`);
      },
    );
  }
}
