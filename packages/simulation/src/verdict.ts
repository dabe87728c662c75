import { GAP_MS, type Ingest, type SessionRecord } from '@sandman/core';
import type { ShardState, Written } from './memory-store.ts';
import type { Bounds, Call, SimulatedPods } from './pods.ts';
import type { Timeline } from './timeline.ts';

/** How long after the last fault recovery may take by the promises, in ms. */
export function recovery({ timeout, late }: Bounds): number {
  return 30_000 + timeout + late;
}

/** The `backgroundCap` from which a policy's version is counted, and the preset's `sleepAfter`, in ms. No user asks for either. */
const VERSIONED_CAP_MS = 20_000;
const PRESET_SLEEP_MS = 900_000;

/** How late a deadline may be met, and how long a request may take to have its effect, in ms. */
const PUNCTUAL_MS = 1_000;
/** The longest time allowed from the commit of a call to its sending, in ms. */
const STALE_MS = 1_000;
/** Margin for a heartbeat that was under way when the outage began, in ms. */
const UNDER_WAY_MS = 10;
/** The greatest age of a heartbeat that still counts, in ms. */
const STALE_BEAT_MS = 500;
/** How long a 404 may stay unconfirmed, in ms. */
const UNCONFIRMED_MS = 31_000;
/** How long a `Retry-After` may delay a session that is wanted awake (`waiting`), and any other, in ms. Both include 1 s of latency. */
const LONGEST_HELD_MS = { waiting: 16_000, other: 301_000 };
/** The length of a lease, in ms. */
const LEASE_MS = 8_000;

type Stored = Omit<SessionRecord, 'ingest'>;

/** What the callers were told of one life of a session. */
interface Life {
  /** The user's acknowledged activity: the earliest time it can have had, and when it was acknowledged, in ms. */
  seen: { readonly at: number; readonly acked: number }[];
  background: { readonly at: number; readonly acked: number }[];
  hold: { readonly until: number; readonly acked: number } | null;
  /** Activity was acknowledged while the pod slept, and no wake has taken effect since. */
  owed: boolean;
  /** Requests in flight that set or end a hold. One that is never acknowledged is counted for good. */
  holding: number;
  holdsAsked: number;
  /** A logout was requested, or the pod was deleted without Sandman (`doomed`); when a logout was acknowledged (`deletedAt`). */
  doomed: boolean;
  deletedAt: number | null;
  /** Sandman may not track it: its creation may not have been acknowledged, its pod was deleted, or Redis lost data. */
  vague: boolean;
  /** When a wake last took effect, and when the last wake whose result is in the record did; 0: none did. */
  wakeLandedAt: number;
  wokenAt: number;
  /** Another service scaled its pod, and no wake has taken effect since. */
  scaled: boolean;
  /** A policy, a hold or lost data has changed its deadlines, so that the record alone does not tell what to expect. */
  changed: boolean;
  lastAsked: number;
  lastAck: number;
}

/** Counts what was checked, so that a run in which nothing was checked does not pass for a proof. */
export interface Checked {
  acknowledged: number;
  decisions: number;
  calls: number;
  takeovers: number;
  samples: number;
  gaps: number;
  repairs: number;
  /** Callers who were told that the pod is awake. */
  told: number;
  /** Times that Redis lost writes and no process noticed. */
  unnoticed: number;
}

function newLife(): Life {
  return {
    seen: [],
    background: [],
    hold: null,
    owed: false,
    holding: 0,
    holdsAsked: 0,
    doomed: false,
    deletedAt: null,
    vague: false,
    wakeLandedAt: 0,
    wokenAt: 0,
    scaled: false,
    changed: false,
    lastAsked: 0,
    lastAck: 0,
  };
}

/** Checks the promises from outside; it shares no logic with the code that keeps them. */
export class Verdict {
  readonly checked: Checked = {
    acknowledged: 0,
    decisions: 0,
    calls: 0,
    takeovers: 0,
    samples: 0,
    gaps: 0,
    repairs: 0,
    told: 0,
    unnoticed: 0,
  };
  violation: string | null = null;
  lastFaultEnd = Number.NEGATIVE_INFINITY;
  /** Whether there was a fault that only the sweep repairs: a lost job, or older data in Redis. */
  sweepNeeded = false;
  readonly #lives = new Map<string, Life>();
  /** When the policy or `wanted` of a session last changed. */
  readonly #turned = new Map<string, number>();
  readonly #committed = new Map<string, number>();
  readonly #outages: { readonly from: number; to: number; readonly decided: ((to: number) => void)[] }[] = [];
  /** When Redis last came back with older data. */
  rewoundAt = Number.NEGATIVE_INFINITY;
  #lostSince = Number.NEGATIVE_INFINITY;
  #hamperedAt = Number.NEGATIVE_INFINITY;
  readonly #timeline: Timeline;
  readonly #pods: () => SimulatedPods;

  /** Redis lost writes and no process noticed: its records of pods may be wrong from then on. */
  #misled = false;
  readonly #recovery: number;

  constructor(timeline: Timeline, bounds: Bounds, pods: () => SimulatedPods) {
    this.#recovery = recovery(bounds);
    this.#timeline = timeline;
    this.#pods = pods;
  }

  life(uuid: string): Life {
    const life = this.#lives.get(uuid) ?? newLife();
    this.#lives.set(uuid, life);
    return life;
  }

  fault(): void {
    this.lastFaultEnd = this.#timeline.now;
  }

  /** Notes a fault that keeps a process from its work: killed, paused, or cut off from Redis. */
  hampered(): void {
    this.fault();
    this.#hamperedAt = this.#timeline.now;
  }

  /** Notes that Redis came back with older data: acknowledged writes may be lost, but no user who is present may lose the pod. */
  rewound(since: number): void {
    this.#lostSince = since;
    this.rewoundAt = this.#timeline.now;
    this.sweepNeeded = true;
    for (const life of this.#lives.values())
      Object.assign(life, { vague: true, changed: true, owed: false, hold: null, background: [], deletedAt: null });
  }

  /** Notes whether pings can be taken from now on. */
  ingest(open: boolean): void {
    const last = this.#outages.at(-1);
    const shut = last?.to === Number.POSITIVE_INFINITY;
    if (!open && !shut) this.#outages.push({ from: this.#timeline.now, to: Number.POSITIVE_INFINITY, decided: [] });
    if (!open || !shut || !last) return;
    last.to = this.#timeline.now;
    for (const judge of last.decided) judge(last.to);
  }

  gap({ floor }: Ingest, length: number): void {
    this.checked.gaps++;
    if (this.#hamperedAt < floor - length - GAP_MS) this.#broken(7, `a gap of ${length} ms in which nothing was wrong`);
  }

  repaired(fault: string, uuid: string): void {
    this.checked.repairs++;
    if (!this.sweepNeeded) this.#broken(2, `the sweep had to repair ${uuid} (${fault}), and no alarm had been lost from outside`);
  }

  /** Notes and checks an acknowledged request. @param issued when it was sent, in ms */
  acknowledged(uuid: string, record: SessionRecord, issued: number, of: { readonly activity: boolean }): void {
    this.checked.acknowledged++;
    const life = this.life(uuid);
    if (of.activity && record.wanted === 'gone') this.#broken(1, `activity on ${uuid} acknowledged though it is being deleted`);
    if (of.activity && life.deletedAt !== null && issued > life.deletedAt)
      this.#broken(1, `activity on ${uuid} acknowledged after its end was`);
    life.lastAck = this.#timeline.now;
    if (of.activity && record.wanted === 'awake' && !life.scaled && this.#pods().truth(uuid) === 'asleep') life.owed = true;
  }

  /** Checks a call that took effect: if its owner no longer waits for it, the doubt must still be open (promise 4). */
  landed({ action, uuid, token, at }: Call, { records }: ShardState): void {
    if (action === 'wake') Object.assign(this.life(uuid), { owed: false, scaled: false, wakeLandedAt: this.#timeline.now });
    const record = records.get(uuid);
    const awaited = !record || record.token === token || record.wanted === 'gone' || at < this.rewoundAt;
    if (action !== 'status' && !awaited && record.verifyAt <= this.#timeline.now)
      this.#broken(4, `${action} of ${uuid} lands ${this.#timeline.now - at} ms after it was sent, and nobody will look`);
  }

  /** Notes that no process noticed the lost writes: then they are lost for good, as docs/reliability.md says. */
  unnoticed(): void {
    const kept = ({ acked }: { readonly acked: number }) => acked < this.#lostSince || acked > this.rewoundAt;
    for (const life of this.#lives.values()) life.seen = life.seen.filter(kept);
    this.checked.unnoticed++;
    this.#misled = true;
  }

  written({ before, after, at }: Written): void {
    if (before && before.createdAt !== after.createdAt) this.#lives.set(after.uuid, newLife());
    // Changed by a rollout or by a request.
    const changed = before !== null && before.policy !== after.policy;
    if (changed) this.life(after.uuid).changed = true;
    if (changed && before.createdAt === after.createdAt) this.#policyChanged(before, after);
    if (changed || after.wanted !== before?.wanted) this.#turned.set(after.uuid, at);
    if (after.token && after.token !== before?.token) this.#committed.set(after.token, at);
    if (before?.wanted === 'awake' && after.wanted === 'asleep' && after.cause === 'idle') this.#decided(before, at, 'sleep');
    if (before && before.wanted !== 'gone' && after.wanted === 'gone' && after.cause === 'delete-due') this.#decided(before, at, 'delete');
    if (before?.token && after.token !== before.token) this.#released(before, at);
    if (before?.action === 'wake' && after.action === '' && after.pod === 'awake') {
      const life = this.life(after.uuid);
      life.wokenAt = life.wakeLandedAt;
    }
    if (before?.pod !== 'gone' && after.pod === 'gone' && this.#pods().truth(after.uuid) !== 'gone' && at - this.rewoundAt > this.#recovery)
      this.#broken(1, `${after.uuid} ended though its pod is there`);
    const longest = after.wanted === 'awake' ? LONGEST_HELD_MS.waiting : LONGEST_HELD_MS.other;
    if (after.notBefore - at > longest) this.#broken(3, `${after.uuid} is held up for ${after.notBefore - at} ms by a Retry-After`);
  }

  /** Checks that no policy goes back to an older version, or to a preset, by itself: a pod to be kept for days would be deleted. */
  #policyChanged({ uuid, policy: before }: Stored, { policy: after }: Stored): void {
    const versionOf = ({ backgroundCap }: SessionRecord['policy']) =>
      backgroundCap >= VERSIONED_CAP_MS && backgroundCap < VERSIONED_CAP_MS + 1_000 ? backgroundCap - VERSIONED_CAP_MS : null;
    const [from, to] = [versionOf(before), versionOf(after)];
    if (from !== null && to !== null && to < from) this.#broken(1, `the policy of ${uuid} went back from version ${from} to ${to}`);
    if (after.sleepAfter === PRESET_SLEEP_MS) this.#broken(1, `the policy of ${uuid} became the preset`);
  }

  /** Checks promises 1 and 7: no session whose user was present is put to sleep or deleted. */
  #decided(record: Stored, at: number, what: 'sleep' | 'delete'): void {
    this.checked.decisions++;
    const { sleepAfter, deleteAfter, backgroundCap } = record.policy;
    const idle = (what === 'sleep' || record.wanted === 'awake' ? sleepAfter : null) ?? deleteAfter ?? Number.POSITIVE_INFINITY;
    const { seen, background, hold, owed, wokenAt } = this.life(record.uuid);
    // Not checked before a process can have noticed that Redis lost data.
    if (at < this.rewoundAt + GAP_MS) return;
    const told = seen.filter(({ acked }) => acked < at);
    const sign = (wrong: boolean, text: () => string) => {
      if (wrong) this.#broken(1, `${what} of ${record.uuid} decided ${text()}`);
    };
    for (const { at: was } of told) sign(at - was < idle, () => `${at - was} ms after an acknowledged activity, within ${idle} ms`);
    sign(at - wokenAt < idle && wokenAt > this.rewoundAt, () => `${at - wokenAt} ms after a wake, within ${idle} ms`);
    sign(hold !== null && hold.acked < at && hold.until > at, () => 'against a hold');
    const lastSeen = Math.max(0, ...told.map(({ at: was }) => was));
    for (const { at: was, acked } of background) {
      const until = Math.min(was + idle, lastSeen + backgroundCap);
      const counts = this.rewoundAt < 0 && record.wanted === 'awake' && acked < at && lastSeen > 0;
      sign(counts && at < until, () => `${until - at} ms before background activity ends`);
    }
    if (what === 'sleep' && owed && !this.#misled) this.#broken(3, `sleep of ${record.uuid} decided, and the wake before it never came`);
    // After Redis lost data, the record may lack a call that can still take effect.
    const known = at - this.rewoundAt > this.#recovery;
    sign(what === 'sleep' && known && this.#pods().landingUntil(record.uuid) > at, () => 'while an older call may still land');
    const shut = this.#outages.at(-1);
    const unseen = shut?.to === Number.POSITIVE_INFINITY && shut.from < record.policyAt - STALE_BEAT_MS;
    if (unseen) this.#broken(7, `${what} of ${record.uuid} decided under a policy that was changed while nobody could ping`);
    if (record.wanted === 'awake') this.#duringOutage(seen, at, idle, `${what} of ${record.uuid}`);
  }

  /** Checks promise 7: a user who was present when an outage longer than the idle time began has the whole idle time again after it. */
  #duringOutage(seen: Life['seen'], at: number, idle: number, what: string): void {
    for (const outage of this.#outages) {
      const { from } = outage;
      const wasThere = seen.some(({ at: was, acked }) => acked <= from && was <= from && from - was < idle - UNDER_WAY_MS);
      if (!wasThere) continue;
      const judge = (to: number) => {
        if (to - from > idle && at < to + idle) this.#broken(7, `${what} decided ${at - to} ms after ${to - from} ms without pings`);
      };
      if (outage.to === Number.POSITIVE_INFINITY) outage.decided.push(judge);
      else judge(outage.to);
    }
  }

  /** Checks promise 4: no call is taken over before its lease has run out, and none needs a takeover without a fault. */
  #released({ uuid, token, actionUntil }: Stored, at: number): void {
    const call = this.#pods()
      .inFlight(uuid)
      .find((one) => one.token === token);
    if (call && call.at > this.rewoundAt && at < actionUntil)
      this.#broken(4, `${uuid} was taken from ${call.process.name}, whose lease ran`);
    if (at >= actionUntil) {
      this.checked.takeovers++;
      if (!this.sweepNeeded && this.#hamperedAt < at - 2 * LEASE_MS) this.#broken(4, `${uuid} had to be taken over, and nothing was wrong`);
    }
  }

  /** Whether a call is a status read of a patrol or a probe, which nothing commits and which needs no lease. */
  #isBystander({ action, token }: Call): boolean {
    return action === 'status' && !this.#committed.has(token);
  }

  /** Checks that a pod reported awake to a caller has not slept all the time since `issued` (ms). */
  toldAwake(uuid: string, issued: number): void {
    this.checked.told++;
    const known = issued > this.rewoundAt && !this.#misled;
    if (known && this.#pods().sleptThroughSince(uuid, issued)) this.#broken(3, `${uuid} was said to be awake, and slept all the while`);
  }

  /** Notes that another service scaled the pod: a wake acknowledged before is no longer owed. */
  scaled(uuid: string): void {
    this.fault();
    this.life(uuid).owed = false;
    this.life(uuid).scaled = true;
  }

  /** Checks promises 1 and 4 at a call that reaches the session-manager. */
  called(call: Call, state: ShardState): void {
    if (this.#isBystander(call)) return;
    this.checked.calls++;
    const committed = this.#committed.get(call.token);
    if (committed === undefined) this.#broken(4, `${call.action} of ${call.uuid} without a commit`);
    const age = call.at - (committed ?? call.at);
    if (age > STALE_MS) this.#broken(1, `${call.action} of ${call.uuid} sent ${age} ms after its decision`);
    const record = state.records.get(call.uuid);
    for (const other of this.#pods().inFlight(call.uuid)) {
      if (other.at <= this.rewoundAt || this.#isBystander(other)) continue;
      // A call may still be in flight after its owner lost the lease; the doubt covers it.
      const lapsed = other.process.hamperedAt >= other.at || this.lastFaultEnd >= other.at;
      if (!lapsed || record?.token === other.token)
        this.#broken(4, `${call.action} of ${call.uuid} beside ${other.action} of ${other.process.name}`);
    }
  }

  /** Checks what must hold at all times, even during faults: what was acknowledged is in the record (promise 5). */
  facts(state: ShardState): void {
    for (const [uuid, life] of this.#lives) {
      if (life.vague || life.doomed || life.lastAck === 0) continue;
      const record = state.records.get(uuid);
      if (!record) {
        this.#broken(5, `${uuid} was acknowledged and is not there`);
        continue;
      }
      if (record.lastActivity > this.#timeline.now) this.#broken(2, `an activity of ${uuid} is said to have been in the future`);
      const latest = Math.max(0, ...life.seen.map(({ at }) => at));
      if (record.wanted !== 'gone' && record.lastActivity < latest) this.#broken(5, `an activity of ${uuid} was acknowledged and is lost`);
      if (record.wanted !== 'gone' && life.hold && record.holdUntil < life.hold.until) this.#broken(5, `a hold of ${uuid} was lost`);
    }
  }

  /** Checks promises 2 and 3, once the time for recovery has passed since the last fault: every pod is as it should be. */
  sample(state: ShardState): void {
    this.facts(state);
    const { now } = this.#timeline;
    if (now < this.lastFaultEnd + this.#recovery) return;
    for (const record of state.records.values()) {
      const life = this.life(record.uuid);
      // All calls for this pod fail, for good.
      if (this.#pods().broken.has(record.uuid)) continue;
      // It waits for a `Retry-After`; `written` checks the bound.
      if (record.notBefore > now) continue;
      // The effect of a recent request, acknowledged or not, may still be under way.
      if (now - Math.max(life.lastAsked, life.lastAck, this.#turned.get(record.uuid) ?? 0) < PUNCTUAL_MS) continue;
      this.checked.samples++;
      const truth = this.#pods().truth(record.uuid);
      // A pod that others deleted is found at the next call, not before, and its 404 must be confirmed first.
      if (truth === 'gone' && (life.doomed || now - record.missingSince < UNCONFIRMED_MS)) continue;
      const quiet = record.action === '' && record.verifyAt === 0;
      // A pod that was created again, and whose adoption was never acknowledged, need not be tracked.
      const stray = record.pod === 'gone' && life.vague;
      if (quiet && !stray && !this.#misled && record.pod !== truth)
        this.#broken(3, `${record.uuid} is ${truth} and said to be ${record.pod}`);
      const expected = this.#expected(record, life, state.ingest, now);
      if (expected && !expected.includes(truth)) {
        this.#broken(expected.includes('awake') ? 3 : 2, `${record.uuid} is ${truth} and should be ${expected.join(' or ')}`);
      }
    }
  }

  #expected(record: Stored, life: Life, ingest: Ingest, now: number): ('awake' | 'asleep' | 'gone')[] | null {
    const { sleepAfter, deleteAfter, backgroundCap } = record.policy;
    if (record.pod === 'gone') return null;
    if (record.wanted === 'gone') return ['gone'];
    const byHand = !life.changed && record.manualSleepAt > record.lastActivity && record.manualSleepAt > 0 && record.holdUntil === 0;
    const idleEnd = (after: number) =>
      Math.max(
        record.lastActivity + after,
        record.wokenAt + after,
        Math.min(record.lastBackground + after, record.lastActivity + backgroundCap),
        ingest.floor + after,
        record.holdUntil,
      );
    const lost = ingest.lost - record.lostBefore;
    const asleepEnd =
      deleteAfter === null ? Number.POSITIVE_INFINITY : Math.max(record.sleptAt, record.lastActivity, ingest.rewound) + deleteAfter + lost;
    if (record.sleptAt > 0 && now > asleepEnd + PUNCTUAL_MS) return ['gone'];
    const idle = sleepAfter ?? deleteAfter;
    if (idle !== null && record.sleptAt === 0) {
      const end = idleEnd(idle);
      if (now > end + PUNCTUAL_MS) return sleepAfter === null ? ['gone'] : ['asleep', 'gone'];
      const until = Math.max(record.lastActivity + idle, record.holdUntil);
      if (!byHand && now < until) return ['awake'];
    }
    // Asleep within the idle time of an activity: wrong, unless a sleep by hand or a changed policy or hold explains it.
    const stays = record.lastActivity + (idle ?? Number.POSITIVE_INFINITY);
    if (record.sleptAt > 0 && !life.changed && now < stays && record.lastActivity > record.manualSleepAt) return ['awake'];
    if (byHand && record.manualSleepAt + PUNCTUAL_MS < now) return ['asleep', 'gone'];
    return null;
  }

  #broken(promise: number, text: string): void {
    this.violation ??= `promise ${promise}: ${text}`;
  }
}
