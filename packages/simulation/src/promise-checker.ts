import { GAP_MS, type Intake, type SessionRecord } from '@sandman/core';
import { type Checked, newExpectations, type SessionExpectations } from './expectations.ts';
import type { MemoryShard, RecordWrite } from './memory-store.ts';
import type { CallTimeLimits, SimulatedCall, SimulatedPods } from './pods.ts';
import type { Timeline } from './timeline.ts';

/** How long after the last fault recovery may take by the promises, in ms. */
export function recoveryMs({ timeout, late }: CallTimeLimits): number {
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
const HEARTBEAT_MARGIN_MS = 10;
/** The greatest age of a heartbeat that still counts, in ms. */
const STALE_BEAT_MS = 500;
/** How long a 404 may stay unconfirmed, in ms. */
const UNCONFIRMED_MS = 31_000;
/** How long a `Retry-After` may delay a session that is wanted awake (`waiting`), and any other, in ms. Both include 1 s of latency. */
const LONGEST_RETRY_AFTER_MS = { waiting: 16_000, other: 301_000 };
/** How long a change of the policy leaves a session that it makes overdue, in ms. */
const NOTICE_MS = 3_600_000;
/** The length of a lease, in ms. */
const LEASE_MS = 8_000;

type Stored = Omit<SessionRecord, 'intake'>;

/** Checks the promises from outside; it shares no logic with the code that keeps them. */
export class PromiseChecker {
  readonly checked: Checked = {
    acknowledged: 0,
    decisions: 0,
    calls: 0,
    takeovers: 0,
    samples: 0,
    gaps: 0,
    repairs: 0,
    told: 0,
    graces: 0,
    keeps: 0,
    deleteWarnings: 0,
    unnoticed: 0,
  };
  violation: string | null = null;
  lastFaultEnd = Number.NEGATIVE_INFINITY;
  /** Whether there was a fault that only the sweep repairs: a lost job, or older data in Redis. */
  sweepNeeded = false;
  readonly #expectations = new Map<string, SessionExpectations>();
  /** When the policy or `wanted` of a session last changed. */
  readonly #intentChangedAt = new Map<string, number>();
  readonly #committed = new Map<string, number>();
  readonly #outages: { readonly from: number; to: number; readonly decided: ((to: number) => void)[] }[] = [];
  /** When Redis last came back with older data. */
  rewoundAt = Number.NEGATIVE_INFINITY;
  #lostSince = Number.NEGATIVE_INFINITY;
  #interruptedAt = Number.NEGATIVE_INFINITY;
  readonly #timeline: Timeline;
  readonly #pods: () => SimulatedPods;

  /** Redis lost writes and no process noticed: its records of pods may be wrong from then on. */
  #hasUnnoticedLoss = false;
  readonly #recovery: number;

  constructor(timeline: Timeline, bounds: CallTimeLimits, pods: () => SimulatedPods) {
    this.#recovery = recoveryMs(bounds);
    this.#timeline = timeline;
    this.#pods = pods;
  }

  expectationsOf(uuid: string): SessionExpectations {
    const session = this.#expectations.get(uuid) ?? newExpectations();
    this.#expectations.set(uuid, session);
    return session;
  }

  noteFault(): void {
    this.lastFaultEnd = this.#timeline.now;
  }

  /** Notes a fault that keeps a process from its work: killed, paused, or cut off from Redis. */
  noteInterruption(): void {
    this.noteFault();
    this.#interruptedAt = this.#timeline.now;
  }

  /** Notes that Redis came back with older data: acknowledged writes may be lost, but no user who is present may lose the pod. */
  rewound(since: number): void {
    this.#lostSince = since;
    this.rewoundAt = this.#timeline.now;
    this.sweepNeeded = true;
    for (const session of this.#expectations.values()) {
      Object.assign(session, {
        mayBeUntracked: true,
        changed: true,
        wakePending: false,
        background: [],
        deletedAt: null,
        warned: null,
        graceReturned: false,
      } satisfies Partial<SessionExpectations>);
      for (const span of [session.hold, session.keep, session.grace]) span.known = null;
      // Which grace the older data has is unknown.
      session.grace.inFlight++;
    }
  }

  /** Notes whether pings can be taken from now on. */
  setIntakeOpen(open: boolean): void {
    const last = this.#outages.at(-1);
    const shut = last?.to === Number.POSITIVE_INFINITY;
    if (!open && !shut) this.#outages.push({ from: this.#timeline.now, to: Number.POSITIVE_INFINITY, decided: [] });
    if (!open || !shut || !last) return;
    last.to = this.#timeline.now;
    for (const judge of last.decided) judge(last.to);
  }

  gap({ gapEndedAt }: Intake, length: number): void {
    this.checked.gaps++;
    if (this.#interruptedAt < gapEndedAt - length - GAP_MS) this.#reportBroken(7, `a gap of ${length} ms in which nothing was wrong`);
  }

  repaired(fault: string, uuid: string): void {
    this.checked.repairs++;
    if (!this.sweepNeeded) this.#reportBroken(2, `the sweep had to repair ${uuid} (${fault}), and no alarm had been lost from outside`);
  }

  /** Notes and checks an acknowledged request. @param issued when it was sent, in ms */
  acknowledged(uuid: string, record: SessionRecord, issued: number, of: { readonly activity: boolean }): void {
    this.checked.acknowledged++;
    const session = this.expectationsOf(uuid);
    if (of.activity && record.wanted === 'gone') this.#reportBroken(1, `activity on ${uuid} acknowledged though it is being deleted`);
    if (of.activity && session.deletedAt !== null && issued > session.deletedAt)
      this.#reportBroken(1, `activity on ${uuid} acknowledged after its end was`);
    session.lastAckAt = this.#timeline.now;
    const { grace } = session;
    if (of.activity && record.wanted === 'awake' && grace.known && issued > grace.known.acked) {
      grace.known = null;
      session.graceReturned = true;
    }
    if (of.activity && record.wanted === 'awake' && !session.scaled && this.#pods().actualState(uuid) === 'asleep')
      session.wakePending = true;
  }

  /** Checks a call that took effect: if its owner no longer waits for it, the doubt must still be open (promise 4). */
  callTookEffect({ action, uuid, token, at }: SimulatedCall, { records }: MemoryShard): void {
    if (action === 'wake')
      Object.assign(this.expectationsOf(uuid), {
        wakePending: false,
        scaled: false,
        wakeLandedAt: this.#timeline.now,
      } satisfies Partial<SessionExpectations>);
    const record = records.get(uuid);
    const awaited = !record || record.token === token || record.wanted === 'gone' || at < this.rewoundAt;
    if (action !== 'status' && !awaited && record.verifyAt <= this.#timeline.now)
      this.#reportBroken(4, `${action} of ${uuid} lands ${this.#timeline.now - at} ms after it was sent, and no status read will follow`);
  }

  /** Notes that no process noticed the lost writes: then they are lost for good, as docs/reliability.md says. */
  noteUnnoticedLoss(): void {
    const kept = ({ acked }: { readonly acked: number }) => acked < this.#lostSince || acked > this.rewoundAt;
    for (const session of this.#expectations.values()) session.userActivity = session.userActivity.filter(kept);
    this.checked.unnoticed++;
    this.#hasUnnoticedLoss = true;
  }

  written({ before, after, at }: RecordWrite): void {
    if (before && before.createdAt !== after.createdAt) this.#expectations.set(after.uuid, newExpectations());
    // Changed by a rollout or by a request.
    const changed = before !== null && before.policy !== after.policy;
    if (changed) this.expectationsOf(after.uuid).changed = true;
    if (changed && before.createdAt === after.createdAt) this.#checkPolicyChange(before, after);
    if (changed || after.wanted !== before?.wanted) this.#intentChangedAt.set(after.uuid, at);
    if (after.token && after.token !== before?.token) this.#committed.set(after.token, at);
    if (before?.wanted === 'awake' && after.wanted === 'asleep' && after.cause === 'idle') this.#checkDecision(before, at, 'sleep');
    if (before && before.wanted !== 'gone' && after.wanted === 'gone') {
      if (after.cause === 'delete-due') this.#checkDecision(before, at, 'delete');
      if (after.cause === 'delete-due' && before.wanted === 'asleep') this.#checkNotice(before, at);
      this.#checkDelete(after, at);
    }
    if (before?.token && after.token !== before.token) this.#checkTakeover(before, at);
    if (before?.action === 'wake' && after.action === '' && after.pod === 'awake') {
      const session = this.expectationsOf(after.uuid);
      session.wokenAt = session.wakeLandedAt;
    }
    if (
      before?.pod !== 'gone' &&
      after.pod === 'gone' &&
      this.#pods().actualState(after.uuid) !== 'gone' &&
      at - this.rewoundAt > this.#recovery
    )
      this.#reportBroken(1, `${after.uuid} ended though its pod is there`);
    const longest = after.wanted === 'awake' ? LONGEST_RETRY_AFTER_MS.waiting : LONGEST_RETRY_AFTER_MS.other;
    if (after.notBefore - at > longest) this.#reportBroken(3, `${after.uuid} is held up for ${after.notBefore - at} ms by a Retry-After`);
  }

  /** Checks that no policy goes back to an older version, or to a preset, by itself: a pod to be kept for days would be deleted. */
  #checkPolicyChange({ uuid, policy: before }: Stored, { policy: after }: Stored): void {
    const versionOf = ({ backgroundCap }: SessionRecord['policy']) =>
      backgroundCap >= VERSIONED_CAP_MS && backgroundCap < VERSIONED_CAP_MS + 1_000 ? backgroundCap - VERSIONED_CAP_MS : null;
    const [from, to] = [versionOf(before), versionOf(after)];
    if (from !== null && to !== null && to < from) this.#reportBroken(1, `the policy of ${uuid} went back from version ${from} to ${to}`);
    if (after.sleepAfter === PRESET_SLEEP_MS) this.#reportBroken(1, `the policy of ${uuid} became the preset`);
  }

  /** Checks promises 1 and 7: no session whose user was present is put to sleep or deleted. */
  #checkDecision(record: Stored, at: number, what: 'sleep' | 'delete'): void {
    this.checked.decisions++;
    const { sleepAfter, deleteAfter, backgroundCap } = record.policy;
    const idle = (what === 'sleep' || record.wanted === 'awake' ? sleepAfter : null) ?? deleteAfter ?? Number.POSITIVE_INFINITY;
    const { userActivity: seen, background, hold, wakePending, wokenAt } = this.expectationsOf(record.uuid);
    // Not checked before a process can have noticed that Redis lost data.
    if (at < this.rewoundAt + GAP_MS) return;
    const told = seen.filter(({ acked }) => acked < at);
    const sign = (wrong: boolean, text: () => string) => {
      if (wrong) this.#reportBroken(1, `${what} of ${record.uuid} decided ${text()}`);
    };
    for (const { at: was } of told) sign(at - was < idle, () => `${at - was} ms after an acknowledged activity, within ${idle} ms`);
    sign(at - wokenAt < idle && wokenAt > this.rewoundAt, () => `${at - wokenAt} ms after a wake, within ${idle} ms`);
    sign(hold.known !== null && hold.known.acked < at && hold.known.until > at, () => 'against a hold');
    const lastSeen = Math.max(0, ...told.map(({ at: was }) => was));
    for (const { at: was, acked } of background) {
      const until = Math.min(was + idle, lastSeen + backgroundCap);
      const counts = this.rewoundAt < 0 && record.wanted === 'awake' && acked < at && lastSeen > 0;
      sign(counts && at < until, () => `${until - at} ms before background activity ends`);
    }
    if (what === 'sleep' && wakePending && !this.#hasUnnoticedLoss)
      this.#reportBroken(3, `sleep of ${record.uuid} decided, and the wake before it never came`);
    // After Redis lost data, the record may lack a call that can still take effect.
    const known = at - this.rewoundAt > this.#recovery;
    sign(what === 'sleep' && known && this.#pods().latestEffectAt(record.uuid) > at, () => 'while an older call may still land');
    const shut = this.#outages.at(-1);
    const unseen = shut?.to === Number.POSITIVE_INFINITY && shut.from < record.policyAt - STALE_BEAT_MS;
    if (unseen) this.#reportBroken(7, `${what} of ${record.uuid} decided under a policy that was changed while no ping could be taken`);
    if (record.wanted === 'awake') this.#checkOutage(seen, at, idle, `${what} of ${record.uuid}`);
  }

  /** Checks that a change of the policy, under which a sleeping session was overdue, did not delete it at once. */
  #checkNotice({ uuid, policy, policyAt, sleptAt, lastActivity, wokenAt, pod }: Stored, at: number): void {
    // Neither a gap nor older data has moved its deadline.
    const known = pod === 'asleep' && this.checked.gaps === 0 && this.rewoundAt < 0;
    const due = Math.max(sleptAt, lastActivity, wokenAt) + (policy.deleteAfter ?? Number.POSITIVE_INFINITY);
    if (known && due <= policyAt && at < policyAt + NOTICE_MS)
      this.#reportBroken(1, `${uuid} is deleted ${at - policyAt} ms after a change of its policy had made it overdue`);
  }

  /** Checks promises 8 and 9: a grace is over and its user did not come back, and nothing is deleted that is kept. */
  #checkDelete({ uuid, cause }: Stored, at: number): void {
    const { keep, grace, graceReturned, endExpected } = this.expectationsOf(uuid);
    if (cause === 'gone') return;
    if (keep.known && keep.known.acked < at && at < keep.known.until) {
      this.#reportBroken(9, `${uuid} is deleted ${keep.known.until - at} ms before its keep ends`);
    }
    if (keep.known) this.checked.keeps++;
    if (cause === 'delete-due' || endExpected || grace.inFlight > 0) return;
    this.checked.graces++;
    if (graceReturned) this.#reportBroken(8, `${uuid} is deleted by a grace that its user's return had ended`);
    else if (grace.known && at < grace.known.until)
      this.#reportBroken(8, `${uuid} is deleted ${grace.known.until - at} ms before its grace is over`);
  }

  /** Checks that one delete is warned of once, though gaps move its deadline. @param warning how long before it comes, in ms */
  warnedOfDelete(uuid: string, due: number, warning: number): void {
    const session = this.expectationsOf(uuid);
    const { now } = this.#timeline;
    this.checked.deleteWarnings++;
    // A worker that was killed before it recorded a warning leaves it to the next, and both have the same id.
    const isRepeated = session.warned && due > session.warned.of && due < session.warned.of + warning;
    if (isRepeated) this.#reportBroken(1, `the delete of ${uuid} is warned of twice, ${due - session.warned!.of} ms apart`);
    session.warned = { of: due, at: now };
  }

  /** Checks promise 7: a user who was present when an outage longer than the idle time began has the whole idle time again after it. */
  #checkOutage(seen: SessionExpectations['userActivity'], at: number, idle: number, what: string): void {
    for (const outage of this.#outages) {
      const { from } = outage;
      const wasThere = seen.some(({ at: was, acked }) => acked <= from && was <= from && from - was < idle - HEARTBEAT_MARGIN_MS);
      if (!wasThere) continue;
      const judge = (to: number) => {
        if (to - from > idle && at < to + idle) this.#reportBroken(7, `${what} decided ${at - to} ms after ${to - from} ms without pings`);
      };
      if (outage.to === Number.POSITIVE_INFINITY) outage.decided.push(judge);
      else judge(outage.to);
    }
  }

  /** Checks promise 4: no call is taken over before its lease has run out, and none needs a takeover without a fault. */
  #checkTakeover({ uuid, token, actionUntil }: Stored, at: number): void {
    const call = this.#pods()
      .inFlight(uuid)
      .find((one) => one.token === token);
    if (call && call.at > this.rewoundAt && at < actionUntil)
      this.#reportBroken(4, `${uuid} was taken from ${call.process.name}, whose lease ran`);
    if (at >= actionUntil) {
      this.checked.takeovers++;
      if (!this.sweepNeeded && this.#interruptedAt < at - 2 * LEASE_MS)
        this.#reportBroken(4, `${uuid} had to be taken over, and nothing was wrong`);
    }
  }

  /** Whether a call is a status read of a patrol or a probe, which nothing commits and which needs no lease. */
  #isUncommittedRead({ action, token }: SimulatedCall): boolean {
    return action === 'status' && !this.#committed.has(token);
  }

  /** Checks that a pod reported awake to a caller has not slept all the time since `issued` (ms). */
  reportedAwake(uuid: string, issued: number): void {
    this.checked.told++;
    const known = issued > this.rewoundAt && !this.#hasUnnoticedLoss;
    if (known && this.#pods().sleptThroughSince(uuid, issued))
      this.#reportBroken(3, `${uuid} was said to be awake, and slept all the while`);
  }

  /** Notes that another service scaled the pod: a wake acknowledged before is no longer owed. */
  scaled(uuid: string): void {
    this.noteFault();
    this.expectationsOf(uuid).wakePending = false;
    this.expectationsOf(uuid).scaled = true;
  }

  /** Checks promises 1 and 4 at a call that reaches the session-manager. */
  called(call: SimulatedCall, state: MemoryShard): void {
    if (this.#isUncommittedRead(call)) return;
    this.checked.calls++;
    const committed = this.#committed.get(call.token);
    if (committed === undefined) this.#reportBroken(4, `${call.action} of ${call.uuid} without a commit`);
    const age = call.at - (committed ?? call.at);
    if (age > STALE_MS) this.#reportBroken(1, `${call.action} of ${call.uuid} sent ${age} ms after its decision`);
    const record = state.records.get(call.uuid);
    for (const other of this.#pods().inFlight(call.uuid)) {
      if (other.at <= this.rewoundAt || this.#isUncommittedRead(other)) continue;
      // A call may still be in flight after its owner lost the lease; the doubt covers it.
      const lapsed = other.process.interruptedAt >= other.at || this.lastFaultEnd >= other.at;
      if (!lapsed || record?.token === other.token)
        this.#reportBroken(4, `${call.action} of ${call.uuid} beside ${other.action} of ${other.process.name}`);
    }
  }

  /** Checks what must hold at all times, even during faults: what was acknowledged is in the record (promise 5). */
  checkAcknowledged(state: MemoryShard): void {
    for (const [uuid, session] of this.#expectations) {
      if (session.mayBeUntracked || session.endExpected || session.lastAckAt === 0) continue;
      const record = state.records.get(uuid);
      if (!record) {
        this.#reportBroken(5, `${uuid} was acknowledged and is not there`);
        continue;
      }
      if (record.lastActivity > this.#timeline.now) this.#reportBroken(2, `an activity of ${uuid} is said to have been in the future`);
      const latest = Math.max(0, ...session.userActivity.map(({ at }) => at));
      if (record.wanted !== 'gone' && record.lastActivity < latest)
        this.#reportBroken(5, `an activity of ${uuid} was acknowledged and is lost`);
      if (record.wanted !== 'gone' && session.hold.known && record.holdUntil < session.hold.known.until)
        this.#reportBroken(5, `a hold of ${uuid} was lost`);
      if (record.wanted !== 'gone' && session.keep.known && record.keepUntil < session.keep.known.until)
        this.#reportBroken(5, `a keep of ${uuid} was lost`);
    }
  }

  /** Checks promises 2 and 3, once the time for recovery has passed since the last fault: every pod is as it should be. */
  sample(state: MemoryShard): void {
    this.checkAcknowledged(state);
    const { now } = this.#timeline;
    if (now < this.lastFaultEnd + this.#recovery) return;
    for (const record of state.records.values()) {
      const session = this.expectationsOf(record.uuid);
      // All calls for this pod fail, for good.
      if (this.#pods().broken.has(record.uuid)) continue;
      // It waits for a `Retry-After`; `written` checks the bound.
      if (record.notBefore > now) continue;
      // The effect of a recent request, acknowledged or not, may still be under way.
      if (now - Math.max(session.lastRequestAt, session.lastAckAt, this.#intentChangedAt.get(record.uuid) ?? 0) < PUNCTUAL_MS) continue;
      this.checked.samples++;
      const truth = this.#pods().actualState(record.uuid);
      // A pod that others deleted is found at the next call, not before, and its 404 must be confirmed first.
      if (truth === 'gone' && (session.endExpected || now - record.missingSince < UNCONFIRMED_MS)) continue;
      const quiet = record.action === '' && record.verifyAt === 0;
      // A pod that was created again, and whose adoption was never acknowledged, need not be tracked.
      const stray = record.pod === 'gone' && session.mayBeUntracked;
      if (quiet && !stray && !this.#hasUnnoticedLoss && record.pod !== truth)
        this.#reportBroken(3, `${record.uuid} is ${truth} and said to be ${record.pod}`);
      const expected = this.#expected(record, session, state.intake, now);
      if (expected && !expected.includes(truth)) {
        this.#reportBroken(expected.includes('awake') ? 3 : 2, `${record.uuid} is ${truth} and should be ${expected.join(' or ')}`);
      }
    }
  }

  #expected(record: Stored, session: SessionExpectations, intake: Intake, now: number): ('awake' | 'asleep' | 'gone')[] | null {
    const { sleepAfter, deleteAfter, backgroundCap } = record.policy;
    if (record.pod === 'gone') return null;
    if (record.wanted === 'gone') return ['gone'];
    const byHand = !session.changed && record.manualSleepAt > record.lastActivity && record.manualSleepAt > 0 && record.holdUntil === 0;
    const idleEnd = (after: number) =>
      Math.max(
        record.lastActivity + after,
        record.wokenAt + after,
        Math.min(record.lastBackground + after, record.lastActivity + backgroundCap),
        intake.gapEndedAt + after,
        record.holdUntil,
      );
    const lost = intake.lostTime - record.lostBefore;
    const noticeEnd = record.noticeUntil > 0 ? record.noticeUntil + Math.max(0, lost) : 0;
    const withNotice = (end: number) => Math.max(end, noticeEnd, record.keepUntil);
    const idleDelete = Math.max(record.sleptAt, record.lastActivity, intake.rewoundAt) + (deleteAfter ?? Number.POSITIVE_INFINITY) + lost;
    const graceEnd = Math.max(record.graceUntil, intake.rewoundAt + record.graceUntil - record.manualSleepAt) + lost;
    const asleepEnd = record.graceUntil > 0 ? Math.max(graceEnd, record.keepUntil) : withNotice(idleDelete);
    if (record.sleptAt > 0 && now > asleepEnd + PUNCTUAL_MS) return ['gone'];
    const idle = sleepAfter ?? deleteAfter;
    if (idle !== null && record.sleptAt === 0) {
      const end = sleepAfter === null ? withNotice(idleEnd(idle)) : idleEnd(idle);
      if (now > end + PUNCTUAL_MS) return sleepAfter === null ? ['gone'] : ['asleep', 'gone'];
      const until = Math.max(record.lastActivity + idle, record.holdUntil);
      if (!byHand && now < until) return ['awake'];
    }
    // Asleep within the idle time of an activity: wrong, unless a sleep by hand or a changed policy or hold explains it.
    const stays = record.lastActivity + (idle ?? Number.POSITIVE_INFINITY);
    if (record.sleptAt > 0 && !session.changed && now < stays && record.lastActivity > record.manualSleepAt) return ['awake'];
    if (byHand && record.manualSleepAt + PUNCTUAL_MS < now) return ['asleep', 'gone'];
    return null;
  }

  #reportBroken(promise: number, text: string): void {
    this.violation ??= `promise ${promise}: ${text}`;
  }
}
