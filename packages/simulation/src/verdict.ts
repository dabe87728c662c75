import { GAP_MS, type Ingest, type SessionRecord } from '@sandman/core';
import type { ShardState, Written } from './memory-store.ts';
import type { Bounds, Call, SimulatedPods } from './pods.ts';
import type { Timeline } from './timeline.ts';

/** How long after the last fault the promises allow for recovery, in ms. */
export function recovery({ timeout, late }: Bounds): number {
  return 30_000 + timeout + late;
}

/** What tells a policy's version, in ms, and the preset of its name. No user asks for either. */
const VERSIONED_CAP_MS = 20_000;
const PRESET_SLEEP_MS = 900_000;

/** How late a deadline may be met, and how soon what somebody asked for must be so, in ms. */
const PUNCTUAL_MS = 1_000;
/** From a call's decision to its sending, in ms. */
const STALE_MS = 1_000;
/** A heartbeat that was under way when the outage began, in ms. */
const UNDER_WAY_MS = 10;
/** How old a heartbeat may be that still counts, in ms. */
const STALE_BEAT_MS = 500;
/** For how long a 404 may stay unconfirmed, in ms. */
const UNCONFIRMED_MS = 31_000;
/** For how long a `Retry-After` may be obeyed, in ms: while a user may wait for a wake, and else; and a second for what lies between. */
const LONGEST_HELD_MS = { waiting: 16_000, other: 301_000 };
/** How long a call's owner is believed to live, in ms. */
const LEASE_MS = 8_000;

type Stored = Omit<SessionRecord, 'ingest'>;

/** What a user was told of one life of a session. */
interface Life {
  /** The user's own activity: at the earliest when, and when it was acknowledged. */
  seen: { readonly at: number; readonly acked: number }[];
  background: { readonly at: number; readonly acked: number }[];
  hold: { readonly until: number; readonly acked: number } | null;
  /** Was told that its pod is woken, and it has not been awake since. */
  owed: boolean;
  /** Requests on their way that set or end a hold; one that was never answered stays. */
  holding: number;
  holdsAsked: number;
  /** Somebody asked for its end; and when that was acknowledged. */
  doomed: boolean;
  deletedAt: number | null;
  /** Nobody knows for certain that it is tracked. */
  vague: boolean;
  /** When a wake last took effect, and when the last one did whose end is written; 0: none did. */
  wakeLandedAt: number;
  wokenAt: number;
  /** Somebody else scaled its pod, and it was not woken since. */
  scaled: boolean;
  /** Another policy since: what was idle then may not be now. */
  changed: boolean;
  lastAsked: number;
  lastAck: number;
}

/** What was checked, so that nobody takes a check of nothing for a proof. */
export interface Checked {
  acknowledged: number;
  decisions: number;
  calls: number;
  takeovers: number;
  samples: number;
  gaps: number;
  repairs: number;
  /** Users who were told that their pod is awake. */
  told: number;
  /** Times that Redis forgot something and nobody noticed. */
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

/** Watches from outside and knows the promises; it shares no code with what keeps them. */
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
  /** Faults that the sweep is there for. */
  sweepNeeded = false;
  readonly #lives = new Map<string, Life>();
  /** When something else was last wanted of a session. */
  readonly #turned = new Map<string, number>();
  readonly #committed = new Map<string, number>();
  readonly #outages: { readonly from: number; to: number; readonly decided: ((to: number) => void)[] }[] = [];
  /** When Redis last came back with older data. */
  rewoundAt = Number.NEGATIVE_INFINITY;
  #lostSince = Number.NEGATIVE_INFINITY;
  #hamperedAt = Number.NEGATIVE_INFINITY;
  readonly #timeline: Timeline;
  readonly #pods: () => SimulatedPods;

  /** Redis forgot something and nobody noticed: what it says of pods may be wrong from then on. */
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

  /** A fault that keeps a process from doing what it must: dead, paused, or cut off from Redis. */
  hampered(): void {
    this.fault();
    this.#hamperedAt = this.#timeline.now;
  }

  /** Redis came back with older data: what was acknowledged may be lost, but nobody who was there is put to sleep. */
  rewound(since: number): void {
    this.#lostSince = since;
    this.rewoundAt = this.#timeline.now;
    this.sweepNeeded = true;
    for (const life of this.#lives.values())
      Object.assign(life, { vague: true, changed: true, owed: false, hold: null, background: [], deletedAt: null });
  }

  /** Whether pings could be taken changed. */
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

  /** A request was acknowledged; `issued` is when it was sent. */
  acknowledged(uuid: string, record: SessionRecord, issued: number, of: { readonly activity: boolean }): void {
    this.checked.acknowledged++;
    const life = this.life(uuid);
    if (of.activity && record.wanted === 'gone') this.#broken(1, `activity on ${uuid} acknowledged though it is being deleted`);
    if (of.activity && life.deletedAt !== null && issued > life.deletedAt)
      this.#broken(1, `activity on ${uuid} acknowledged after its end was`);
    life.lastAck = this.#timeline.now;
    if (of.activity && record.wanted === 'awake' && !life.scaled && this.#pods().truth(uuid) === 'asleep') life.owed = true;
  }

  /** A call took effect. Where its owner does not wait for it any more, the doubt must be open still (promise 4). */
  landed({ action, uuid, token, at }: Call, { records }: ShardState): void {
    if (action === 'wake') Object.assign(this.life(uuid), { owed: false, scaled: false, wakeLandedAt: this.#timeline.now });
    const record = records.get(uuid);
    const awaited = !record || record.token === token || record.wanted === 'gone' || at < this.rewoundAt;
    if (action !== 'status' && !awaited && record.verifyAt <= this.#timeline.now)
      this.#broken(4, `${action} of ${uuid} lands ${this.#timeline.now - at} ms after it was sent, and nobody will look`);
  }

  /** Nobody noticed what Redis forgot: then what was lost is lost, as docs/reliability.md says. */
  unnoticed(): void {
    const kept = ({ acked }: { readonly acked: number }) => acked < this.#lostSince || acked > this.rewoundAt;
    for (const life of this.#lives.values()) life.seen = life.seen.filter(kept);
    this.checked.unnoticed++;
    this.#misled = true;
  }

  written({ before, after, at }: Written): void {
    if (before && before.createdAt !== after.createdAt) this.#lives.set(after.uuid, newLife());
    // A rollout's change, or one that was asked for.
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

  /** No session's policy goes back to an older version, or to a preset, by itself: what was to be kept for days would be deleted. */
  #policyChanged({ uuid, policy: before }: Stored, { policy: after }: Stored): void {
    const versionOf = ({ backgroundCap }: SessionRecord['policy']) =>
      backgroundCap >= VERSIONED_CAP_MS && backgroundCap < VERSIONED_CAP_MS + 1_000 ? backgroundCap - VERSIONED_CAP_MS : null;
    const [from, to] = [versionOf(before), versionOf(after)];
    if (from !== null && to !== null && to < from) this.#broken(1, `the policy of ${uuid} went back from version ${from} to ${to}`);
    if (after.sleepAfter === PRESET_SLEEP_MS) this.#broken(1, `the policy of ${uuid} became the preset`);
  }

  /** Promises 1 and 7: nobody who was there is put to sleep or deleted. */
  #decided(record: Stored, at: number, what: 'sleep' | 'delete'): void {
    this.checked.decisions++;
    const { sleepAfter, deleteAfter, backgroundCap } = record.policy;
    const idle = (what === 'sleep' || record.wanted === 'awake' ? sleepAfter : null) ?? deleteAfter ?? Number.POSITIVE_INFINITY;
    const { seen, background, hold, owed, wokenAt } = this.life(record.uuid);
    // Until somebody has found out that Redis forgot.
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
    // Of a call that Redis has forgotten nobody knows.
    const known = at - this.rewoundAt > this.#recovery;
    sign(what === 'sleep' && known && this.#pods().landingUntil(record.uuid) > at, () => 'while an older call may still land');
    const shut = this.#outages.at(-1);
    const unseen = shut?.to === Number.POSITIVE_INFINITY && shut.from < record.policyAt - STALE_BEAT_MS;
    if (unseen) this.#broken(7, `${what} of ${record.uuid} decided under a policy that was changed while nobody could ping`);
    if (record.wanted === 'awake') this.#duringOutage(seen, at, idle, `${what} of ${record.uuid}`);
  }

  /** Promise 7: whoever was there when an outage longer than their idle time began has all of it again after its end. */
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

  /** Promise 4: a lock is taken from nobody who holds it, and nobody lets go of it who need not. */
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

  /** Whether a call only asks, for nobody's session in particular: a patrol, or a probe. It needs no lock. */
  #isBystander({ action, token }: Call): boolean {
    return action === 'status' && !this.#committed.has(token);
  }

  /** A user was told that the pod is awake, because of what was found out since `issued` (ms). */
  toldAwake(uuid: string, issued: number): void {
    this.checked.told++;
    const known = issued > this.rewoundAt && !this.#misled;
    if (known && this.#pods().sleptThroughSince(uuid, issued)) this.#broken(3, `${uuid} was said to be awake, and slept all the while`);
  }

  /** Somebody else scaled its pod: whoever is told that it is awake is told what was so. */
  scaled(uuid: string): void {
    this.fault();
    this.life(uuid).owed = false;
    this.life(uuid).scaled = true;
  }

  /** Promises 1 and 4, as the session-manager sees them. */
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
      // A call of an owner whose lease ran out may hang on; the doubt is there for it.
      const lapsed = other.process.hamperedAt >= other.at || this.lastFaultEnd >= other.at;
      if (!lapsed || record?.token === other.token)
        this.#broken(4, `${call.action} of ${call.uuid} beside ${other.action} of ${other.process.name}`);
    }
  }

  /** What no time and no fault may change: what was acknowledged stands in the record (promise 5). */
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

  /** Promises 2 and 3, once the last fault is long enough ago: every pod is as it should be. */
  sample(state: ShardState): void {
    this.facts(state);
    const { now } = this.#timeline;
    if (now < this.lastFaultEnd + this.#recovery) return;
    for (const record of state.records.values()) {
      const life = this.life(record.uuid);
      // Its calls fail for good.
      if (this.#pods().broken.has(record.uuid)) continue;
      // What waits because the session-manager asked for it; the bound is checked where it is written.
      if (record.notBefore > now) continue;
      // What was asked for just now may be under way still, acknowledged or not.
      if (now - Math.max(life.lastAsked, life.lastAck, this.#turned.get(record.uuid) ?? 0) < PUNCTUAL_MS) continue;
      this.checked.samples++;
      const truth = this.#pods().truth(record.uuid);
      // Deleted behind our back: found out by the next call, and not before; a 404 for it is confirmed before it is believed.
      if (truth === 'gone' && (life.doomed || now - record.missingSince < UNCONFIRMED_MS)) continue;
      const quiet = record.action === '' && record.verifyAt === 0;
      // A pod that was made anew and whose tracking was never acknowledged is nobody's.
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
    // Asleep though the user came: only where something was asked for since that explains it.
    const stays = record.lastActivity + (idle ?? Number.POSITIVE_INFINITY);
    if (record.sleptAt > 0 && !life.changed && now < stays && record.lastActivity > record.manualSleepAt) return ['awake'];
    if (byHand && record.manualSleepAt + PUNCTUAL_MS < now) return ['asleep', 'gone'];
    return null;
  }

  #broken(promise: number, text: string): void {
    this.violation ??= `promise ${promise}: ${text}`;
  }
}
