import { deadlines, isAwakeSince, type LiveReading, type Policy, type Random, SandmanError } from '@sandman/core';
import type { SessionService } from '@sandman/lifecycle';
import type { SessionExpectations, SpanExpectation } from './expectations.ts';
import type { MemoryShard } from './memory-store.ts';
import type { SimulatedPods } from './pods.ts';
import type { SimulatedProcess } from './process.ts';
import type { PromiseChecker } from './promise-checker.ts';
import type { Timeline } from './timeline.ts';

/** An API that takes requests. */
export interface SimulatedApi {
  readonly process: SimulatedProcess;
  readonly service: SessionService;
}

export interface UserWorld {
  readonly timeline: Timeline;
  readonly random: Random;
  /** Draws requests to keep the session, and to delete it with a grace or by force; null: the user sends none. */
  readonly leaving: Random | null;
  readonly checker: PromiseChecker;
  readonly pods: SimulatedPods;
  /** The name of the sessions' policies. */
  readonly policyName: string;
  readonly state: () => MemoryShard;
  /** An API that is running; null if there is none. */
  readonly pickApi: () => SimulatedApi | null;
  readonly trace: (text: string) => void;
}

/** How often a caller that waits for a wake checks the record, and for how long at most, in ms. */
const POLL_MS = 50;
const WAKE_WAIT_MS = 5_000;

/** How long a request may take to be written, in ms: a keep that ends later than this is still in force then. */
const KEEP_MARGIN_MS = 2_000;

/** Draws a policy with short times, in ms, so that a history holds several deletes and adoptions of a session. */
function randomPolicy({ random, policyName }: UserWorld): Policy {
  const sleepAfter = random.chance(0.1) ? null : random.pick([3_000, 4_000, 6_000]);
  const deleteAfter = random.chance(0.2) ? null : random.pick([4_000, 7_000, 12_000]);
  return { name: policyName, sleepAfter, deleteAfter, backgroundCap: random.pick([2_000, 10_000, 14_400_000]) };
}

/** Sends the requests of one session's user, and notes what was acknowledged. */
export class SimulatedUser {
  readonly uuid: string;
  readonly #owner: string;
  readonly #world: UserWorld;

  constructor(uuid: string, world: UserWorld) {
    this.uuid = uuid;
    this.#owner = `owner of ${uuid}`;
    this.#world = world;
  }

  /** Creates the session, sends random requests until `end` (virtual ms), and then stops. */
  live(end: number): void {
    const { timeline } = this.#world;
    this.create();
    const next = () => {
      timeline.in(this.#drawPause(), () => {
        if (timeline.now >= end) return;
        this.#sendRandomRequest();
        next();
      });
    };
    next();
  }

  /** Draws the ms until the next request: long enough to become idle, or such that it meets a deadline of the session. */
  #drawPause(): number {
    const { random, timeline, state } = this.#world;
    const stored = state().records.get(this.uuid);
    if (stored?.pod === 'gone' && random.chance(0.5)) return random.between(1, 500);
    if (stored && random.chance(0.6)) {
      const { sleepAt, deleteAt } = deadlines({ ...stored, intake: state().intake });
      const near = [sleepAt, deleteAt, stored.keepUntil, stored.actionUntil, stored.verifyAt, stored.retryAt]
        .filter((at) => at !== null && at > timeline.now && at < timeline.now + 10_000)
        .map((at) => (at ?? 0) - timeline.now);
      if (near.length > 0) return random.pick(near) + random.between(-30, 60);
    }
    return random.chance(0.5) ? random.between(1, 60) : random.between(100, 5_000);
  }

  #sendRandomRequest(): void {
    const { random, leaving } = this.#world;
    const stored = this.#world.state().records.get(this.uuid);
    if (!stored || stored.pod === 'gone') {
      if (random.chance(0.5)) this.create();
      else this.ping();
      return;
    }
    if (leaving?.chance(0.2)) {
      this.#sendLeavingRequest(leaving);
      return;
    }
    const roll = random.next();
    if (roll < 0.66) this.ping();
    else if (roll < 0.72) this.background();
    else if (roll < 0.8) this.sleep();
    else if (roll < 0.84) this.hold(random.between(500, 6_000));
    else if (roll < 0.86) this.endHold();
    else if (roll < 0.89) this.setPolicy(randomPolicy(this.#world));
    else if (roll < 0.92) this.adopt();
    else if (roll < 0.95) this.logout();
    else if (roll < 0.96) this.losePod();
    else this.wake();
  }

  #sendLeavingRequest(random: Random): void {
    const roll = random.next();
    const grace = random.between(500, 8_000);
    if (roll < 0.3) this.remove({ grace });
    else if (roll < 0.5) this.logOut(grace);
    else if (roll < 0.6) this.logOut(0);
    else if (roll < 0.85) this.keep(random.between(1_000, 9_000));
    else if (roll < 0.92) this.endKeep();
    else this.remove({ grace: random.chance(0.5) ? grace : 0, force: true });
  }

  /** Creates a pod at the session-manager if there is none, then adopts it, over a tombstone if there is one. */
  create(policy = randomPolicy(this.#world)): void {
    const { pods, checker } = this.#world;
    const session = checker.expectationsOf(this.uuid);
    const untracked = pods.actualState(this.uuid) === 'gone';
    if (untracked) pods.create(this.uuid);
    session.mayBeUntracked = true;
    this.#request('create', true, (service) => service.adopt(this.uuid, { userId: this.#owner, policy }).then(({ reading }) => reading), {
      told: (_, issued) => checker.expectationsOf(this.uuid).userActivity.push({ at: issued, acked: this.#world.timeline.now }),
    });
  }

  adopt(): void {
    this.#request('adopt', true, (service) => service.adopt(this.uuid, { userId: this.#owner }).then(({ reading }) => reading), {
      told: (_, issued) => this.#noteActivity(issued),
    });
  }

  /** @param at ms, or null for now; drawn by default, in one of five cases within 5 s of now */
  ping(at = this.#drawActivityTime()): void {
    this.#request('ping', true, (service) => service.activity.record(this.uuid, 'user', at), {
      told: (_, issued) => this.#noteActivity(Math.min(at ?? issued, issued)),
    });
  }

  #drawActivityTime(): number | null {
    const { random, timeline } = this.#world;
    return random.chance(0.8) ? null : timeline.now + random.between(-5_000, 5_000);
  }

  background(): void {
    this.#request('background', true, (service) => service.activity.record(this.uuid, 'background', null), {
      told: ({ record }, issued) => {
        if (record.wanted !== 'awake') return;
        this.#world.checker.expectationsOf(this.uuid).background.push({ at: issued, acked: this.#world.timeline.now });
      },
    });
  }

  wake(): void {
    this.#request('wake', true, (service) => service.wake(this.uuid), {
      told: (reading, issued) => {
        this.#noteActivity(issued);
        this.#waitUntilAwake(reading.now, issued);
      },
    });
  }

  /** Waits as a caller of `wake?wait=` does: until the pod is awake or no longer wanted awake, `PATIENCE_MS` at most. */
  #waitUntilAwake(since: number, issued: number): void {
    const { timeline, checker, state } = this.#world;
    timeline.in(POLL_MS, () => {
      const stored = state().records.get(this.uuid);
      if (stored?.wanted !== 'awake' || timeline.now > issued + WAKE_WAIT_MS) return;
      if (isAwakeSince({ ...stored, intake: state().intake }, since)) checker.reportedAwake(this.uuid, issued);
      else this.#waitUntilAwake(since, issued);
    });
  }

  sleep(): void {
    this.#requestSpan(
      'sleep',
      ({ hold }) => hold,
      (service) => service.sleep(this.uuid),
      ({ record }) => record.holdUntil,
    );
  }

  hold(ms: number): void {
    this.#world.checker.expectationsOf(this.uuid).changed = true;
    this.#requestSpan(
      'hold',
      ({ hold }) => hold,
      (service) => service.hold(this.uuid, { for: ms }),
      ({ record }) => record.holdUntil,
    );
  }

  endHold(): void {
    this.#requestSpan(
      'end of hold',
      ({ hold }) => hold,
      (service) => service.endHold(this.uuid),
      ({ record }) => record.holdUntil,
    );
  }

  keep(ms: number): void {
    this.#requestSpan(
      'keep',
      ({ keep }) => keep,
      (service) => service.keep(this.uuid, { for: ms }),
      ({ record }) => record.keepUntil,
    );
  }

  endKeep(): void {
    this.#requestSpan(
      'end of keep',
      ({ keep }) => keep,
      (service) => service.endKeep(this.uuid),
      ({ record }) => record.keepUntil,
    );
  }

  /** Sends a request that sets or ends a span. If several are in flight, their order is unknown, so no span is expected. */
  #requestSpan(
    what: string,
    spanOf: (session: SessionExpectations) => SpanExpectation,
    request: (service: SessionService) => Promise<LiveReading>,
    end: (reading: LiveReading) => number,
  ): void {
    const span = spanOf(this.#world.checker.expectationsOf(this.uuid));
    const told = this.#expectSpan(span);
    this.#request(what, false, request, { told: (reading) => told(end(reading)), refused: () => span.inFlight-- });
  }

  /** @returns a function to call with the span's end (ms) when the request is acknowledged */
  #expectSpan(span: SpanExpectation): (until: number) => void {
    const alone = span.inFlight === 0;
    const asked = ++span.requests;
    span.known = null;
    span.inFlight++;
    return (until) => {
      span.inFlight--;
      span.known = alone && span.requests === asked && until > 0 ? { until, acked: this.#world.timeline.now } : null;
    };
  }

  setPolicy(policy: Policy): void {
    this.#world.checker.expectationsOf(this.uuid).changed = true;
    this.#request('policy', false, (service) => service.setPolicy(this.uuid, policy), { told: () => {} });
  }

  logout(): void {
    this.remove({});
  }

  remove({ grace = 0, force = false }: { readonly grace?: number; readonly force?: boolean }): void {
    this.#requestDelete(`delete${force ? ' by force' : ''}`, grace, force, (service) => service.remove(this.uuid, { grace, force }));
  }

  /** Logs out the session's owner, who has no other. */
  logOut(grace: number): void {
    const request = async (service: SessionService) => {
      const [reading] = await service.logout(this.#owner, grace, (loggedOut) => loggedOut);
      return reading ?? (await service.get(this.uuid));
    };
    this.#requestDelete('logout', grace, false, request);
  }

  #requestDelete(what: string, grace: number, force: boolean, request: (service: SessionService) => Promise<LiveReading>): void {
    const { checker, timeline } = this.#world;
    const session = checker.expectationsOf(this.uuid);
    const isKept = session.keep.known !== null && session.keep.known.until > timeline.now + KEEP_MARGIN_MS;
    if (force) session.keep.known = null;
    if (force) session.keep.requests++;
    if (grace === 0 && (force || !isKept)) session.endExpected = true;
    const graceTold = this.#expectSpan(session.grace);
    session.graceReturned = false;
    // A sleep by hand ends the hold.
    const holdTold = this.#expectSpan(session.hold);
    this.#request(`${what}${grace > 0 ? ` with a grace of ${grace} ms` : ''}`, false, request, {
      told: ({ record }) => {
        graceTold(record.graceUntil);
        holdTold(record.holdUntil);
        // The uuid may have been adopted again since the request was sent.
        if (record.wanted === 'gone' && checker.expectationsOf(this.uuid) === session) session.deletedAt = timeline.now;
      },
      refused: () => {
        session.grace.inFlight--;
        session.hold.inFlight--;
      },
    });
  }

  /** Deletes the pod without Sandman. */
  losePod(): void {
    this.#world.trace(`${this.uuid} loses its pod`);
    const { checker, pods } = this.#world;
    Object.assign(checker.expectationsOf(this.uuid), { endExpected: true, mayBeUntracked: true } satisfies Partial<SessionExpectations>);
    checker.noteFault();
    pods.remove(this.uuid);
  }

  #noteActivity(at: number): void {
    this.#world.checker.expectationsOf(this.uuid).userActivity.push({ at, acked: this.#world.timeline.now });
  }

  #request(
    what: string,
    activity: boolean,
    request: (service: SessionService) => Promise<LiveReading>,
    { told, refused }: { told: (reading: LiveReading, issued: number) => void; refused?: () => void },
  ): void {
    const { pickApi, timeline, checker, trace } = this.#world;
    const at = pickApi();
    if (!at) return;
    const issued = timeline.now;
    const { uuid } = this;
    checker.expectationsOf(uuid).lastRequestAt = issued;
    trace(`${uuid}: ${what} at ${at.process.name}`);
    request(at.service).then(
      (reading) => {
        // A request sent before a failover and acknowledged after it may be among the lost writes.
        if (issued <= checker.rewoundAt) return;
        trace(`${uuid}: ${what} acknowledged, wanted ${reading.record.wanted}, pod ${reading.record.pod}`);
        checker.acknowledged(uuid, reading.record, issued, { activity });
        told(reading, issued);
      },
      (error) => {
        if (error instanceof SandmanError) refused?.();
        trace(`${uuid}: ${what} refused, ${error instanceof SandmanError ? error.code : error}`);
      },
    );
  }
}
