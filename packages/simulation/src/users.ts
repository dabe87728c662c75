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
  /** What sessions' policies are called. */
  readonly policyName: string;
  readonly state: () => ShardState;
  /** An API that answers; null where there is none. */
  readonly door: () => Door | null;
  readonly trace: (text: string) => void;
}

/** How often, and for how long, somebody who waits for a wake looks, in ms. */
const LOOK_AGAIN_MS = 50;
const PATIENCE_MS = 5_000;

/** Short ones, so that a history holds several lives. In ms. */
function somePolicy({ random, policyName }: UserWorld): Policy {
  const sleepAfter = random.chance(0.1) ? null : random.pick([3_000, 4_000, 6_000]);
  const deleteAfter = random.chance(0.2) ? null : random.pick([4_000, 7_000, 12_000]);
  return { name: policyName, sleepAfter, deleteAfter, backgroundCap: random.pick([2_000, 10_000, 14_400_000]) };
}

/** What people do with one session, and what they were told. */
export class User {
  readonly uuid: string;
  readonly #world: UserWorld;

  constructor(uuid: string, world: UserWorld) {
    this.uuid = uuid;
    this.#world = world;
  }

  /** Comes, does this and that until `end` (ms), and leaves. */
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

  /** Long enough for an idle spell, or right at the moment at which something else is due. */
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

  /** A pod by the session-manager, then tracking it; also over the tombstone of one that is gone. */
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

  /** @param at ms, or null for now; sometimes another time than now, unless told */
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

  /** As a caller of `wake?wait=` does, until there is nothing more to wait for. */
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

  /** A request that sets or ends a hold: of several at once nobody knows which one came last. */
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
        // Of the life that it was sent to: another may have begun since.
        if (this.#world.verdict.life(this.uuid) === life) life.deletedAt = this.#world.timeline.now;
      },
    });
  }

  /** Somebody deletes the pod behind Sandman's back. */
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
        // What was written before Redis forgot and acknowledged after it may be among what it forgot.
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
