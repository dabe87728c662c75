import type { Call, Change, Evidence, Life } from './evidence.ts';
import { changeAt, Finding } from './finding.ts';
import { isAcknowledged } from './users.ts';

/** Longest time from a worker's socket to the session-manager's call log, through a proxy on a busy machine, in ms. */
export const TRAVEL_MS = 250;
/** A call is sent at most this long after the commit that decided it, in ms. */
const STALE_MS = 1_000;
/**
 * A process that is stopped between its clock check and the socket sends a stale call, which no rule can prevent. It is allowed only
 * for a call whose commit was answered at most this long before the stop, in ms.
 */
const SOCKET_MS = 50;

export function isIdleDecision({ to, cause }: Change): boolean {
  return (to === 'falling-asleep' && cause === 'idle') || (to === 'deleting' && cause === 'delete-due');
}

/** Returns when a request that ends or replaces a hold was sent, acknowledged or not. From then on the hold may be gone. */
function holdEnds(life: Life, after: number): number {
  const next = life.deeds.find(({ kind, sentAt }) => sentAt >= after && (kind === 'hold' || kind === 'unhold' || kind === 'sleep'));
  return next?.sentAt ?? Number.POSITIVE_INFINITY;
}

/**
 * 1a. Checks that no acknowledged activity lies less than the idle time before a decision. Activity in the same ms as the decision may
 * have come after it, because a touch is rounded up and a decision down.
 */
function checkDecision(finding: Finding, life: Life, decision: Change): void {
  const { sleepAfter, deleteAfter } = life.idle;
  const patience = sleepAfter ?? deleteAfter;
  const before = life.signals.filter(({ at }) => at < decision.at);
  const activity = before.filter(({ deed }) => deed.kind !== 'hold').at(-1);
  const what = decision.to === 'deleting' ? 'idle deletes decided' : 'idle sleeps decided';
  finding.check(what, !activity || decision.at - activity.at >= patience, life, () => `at ${decision.at}, active at ${activity?.at}`);
  for (const { at, deed, holdUntil } of before.filter(({ deed }) => deed.kind === 'hold')) {
    const until = Math.min(holdUntil, holdEnds(life, deed.answeredAt));
    finding.check('decisions after a hold', decision.at >= until, life, () => `decided at ${decision.at}, held from ${at} to ${until}`);
  }
  if (decision.to !== 'deleting') return;
  // The deadline: deleteAfter after the sleep took effect; or, without a sleep, after it was requested or due.
  const asleep = decision.from === 'sleeping' ? life.calls.findLast(({ call, effectAt }) => call === 'sleep' && effectAt > 0) : undefined;
  const byHand = decision.from === 'falling-asleep' && life.changes.findLast(({ at }) => at < decision.at)?.cause === 'manual';
  const awake = decision.from === 'sleeping' || byHand ? 0 : (sleepAfter ?? 0);
  const due = Math.max(asleep?.effectAt ?? 0, (activity?.at ?? 0) + awake) + deleteAfter;
  finding.check('deletes not before their time', decision.at >= due, life, () => `decided at ${decision.at}, due at ${due}`);
}

/** 1b. Checks that a sleep or delete reaches the session-manager at most 1 s after the commit that decided it, or never. */
function checkSending(finding: Finding, life: Life, call: Call, { stopped }: Evidence): void {
  const begun = life.begun.get(call.idempotencyKey);
  if (!begun) return; // Promise 4 says what this is.
  const unclosed = stopped.some(({ from, to, reply }) => {
    const answered = begun.notAfter + reply;
    return answered <= from + SOCKET_MS && answered >= from - SOCKET_MS && call.at >= to;
  });
  if (unclosed) {
    finding.count('calls stopped at the socket');
    return;
  }
  const age = call.at - begun.notAfter;
  finding.check(`${call.call}s sent`, age <= STALE_MS + TRAVEL_MS, life, () => `${age} ms after its decision, at ${call.at}`);
  if (call.call !== 'sleep') return;
  // A sleep call must not begin once activity has followed its decision.
  const decided = life.changes.findLast(({ at, to }) => to === 'falling-asleep' && at <= begun.notAfter);
  const later = life.signals.find(({ at }) => at > (decided?.at ?? 0) && at < begun.notBefore);
  finding.check('sleeps begun', !!decided && !later, life, () => `at ${begun.notBefore}, decided ${decided?.at}, active ${later?.at}`);
}

/** 1c. Checks that activity is refused exactly for sessions that are being deleted. */
function checkRefusals(finding: Finding, life: Life): void {
  const end = life.changes.find(({ to }) => to === 'deleting' || to === 'deleted');
  for (const { at, deed } of life.signals) {
    if (!end) finding.count('acknowledged while alive');
    else finding.check('acknowledged before the end', at <= end.at && deed.sentAt <= end.at, life, () => `${at}, deleting at ${end.at}`);
  }
  for (const deed of life.deeds.filter(({ status }) => status === 410)) {
    finding.check('refused', !!end && end.at <= deed.answeredAt, life, () => `at ${deed.answeredAt}, deleting at ${end?.at}`);
  }
}

/**
 * 1. Checks that no idle sleep or delete is decided against activity acknowledged within `sleepAfter`, or against a hold; that none is
 * sent more than 1 s after its decision; and that activity on a session being deleted is refused. Activity acknowledged after a
 * decision is followed by a wake: promise 3.
 */
export function promise1(evidence: Evidence): Finding {
  const finding = new Finding();
  for (const life of evidence.lives) {
    for (const change of life.changes.filter(isIdleDecision)) checkDecision(finding, life, change);
    for (const call of life.calls) if (call.call === 'sleep' || call.call === 'delete') checkSending(finding, life, call, evidence);
    checkRefusals(finding, life);
    finding.count('activity acknowledged', life.deeds.filter((deed) => deed.kind === 'activity' && isAcknowledged(deed)).length);
  }
  return finding;
}

/**
 * 7. Checks that after an outage of pings longer than `sleepAfter`, no session that was active at its start is put to sleep or deleted
 * for being idle before a full `sleepAfter` has passed. The outage began when no ping could succeed, and lasted at least until the
 * last ping was refused.
 */
export function promise7({ lives, outages }: Evidence): Finding {
  const finding = new Finding();
  for (const { kind, from, to } of outages) {
    finding.count(`outages of ${kind}`);
    for (const life of lives) {
      const patience = life.idle.sleepAfter ?? life.idle.deleteAfter;
      const last = life.signals.findLast(({ at }) => at <= from);
      const active = last && from - last.at < patience && changeAt(life, from)?.to === 'active';
      if (!active || patience >= to - from) continue;
      finding.count(`active when ${kind} went`);
      const decision = life.changes.find((change) => isIdleDecision(change) && change.at > from);
      if (!decision) continue;
      finding.check('decided after an outage', decision.at >= to + patience, life, () => {
        return `${decision.to} at ${decision.at}, outage from ${from} to ${to}, idle after ${patience}`;
      });
    }
  }
  return finding;
}
