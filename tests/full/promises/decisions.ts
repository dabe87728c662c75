import type { Evidence, LoggedCall, SessionEvidence, StatusChange } from './evidence.ts';
import { changeAt, PromiseResult } from './promise-result.ts';
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

export function isIdleDecision({ to, cause }: StatusChange): boolean {
  return (to === 'falling-asleep' && cause === 'idle') || (to === 'deleting' && cause === 'delete-due');
}

/** Returns when a request that ends or replaces a hold was sent, acknowledged or not. From then on the hold may be gone. */
function holdEnds(session: SessionEvidence, after: number): number {
  const next = session.requests.find(({ kind, sentAt }) => sentAt >= after && (kind === 'hold' || kind === 'unhold' || kind === 'sleep'));
  return next?.sentAt ?? Number.POSITIVE_INFINITY;
}

/**
 * 1a. Checks that no acknowledged activity lies less than the idle time before a decision. Activity in the same ms as the decision may
 * have come after it, because a touch is rounded up and a decision down.
 */
function checkDecision(finding: PromiseResult, session: SessionEvidence, decision: StatusChange): void {
  const { sleepAfter, deleteAfter } = session.idle;
  const patience = sleepAfter ?? deleteAfter;
  const before = session.signals.filter(({ at }) => at < decision.at);
  const activity = before.filter(({ request }) => request.kind !== 'hold').at(-1);
  const what = decision.to === 'deleting' ? 'idle deletes decided' : 'idle sleeps decided';
  finding.check(what, !activity || decision.at - activity.at >= patience, session, () => `at ${decision.at}, active at ${activity?.at}`);
  for (const { at, request, holdUntil } of before.filter(({ request }) => request.kind === 'hold')) {
    const until = Math.min(holdUntil, holdEnds(session, request.answeredAt));
    finding.check('decisions after a hold', decision.at >= until, session, () => `decided at ${decision.at}, held from ${at} to ${until}`);
  }
  if (decision.to !== 'deleting') return;
  // The deadline: deleteAfter after the sleep took effect; or, without a sleep, after it was requested or due.
  const asleep =
    decision.from === 'sleeping' ? session.calls.findLast(({ call, effectAt }) => call === 'sleep' && effectAt > 0) : undefined;
  const byHand = decision.from === 'falling-asleep' && session.changes.findLast(({ at }) => at < decision.at)?.cause === 'manual';
  const awake = decision.from === 'sleeping' || byHand ? 0 : (sleepAfter ?? 0);
  const due = Math.max(asleep?.effectAt ?? 0, (activity?.at ?? 0) + awake) + deleteAfter;
  finding.check('deletes not before their time', decision.at >= due, session, () => `decided at ${decision.at}, due at ${due}`);
}

/** 1b. Checks that a sleep or delete reaches the session-manager at most 1 s after the commit that decided it, or never. */
function checkSending(finding: PromiseResult, session: SessionEvidence, call: LoggedCall, { stopped }: Evidence): void {
  const begun = session.begun.get(call.idempotencyKey);
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
  finding.check(`${call.call}s sent`, age <= STALE_MS + TRAVEL_MS, session, () => `${age} ms after its decision, at ${call.at}`);
  if (call.call !== 'sleep') return;
  // A sleep call must not begin once activity has followed its decision.
  const decided = session.changes.findLast(({ at, to }) => to === 'falling-asleep' && at <= begun.notAfter);
  const later = session.signals.find(({ at }) => at > (decided?.at ?? 0) && at < begun.notBefore);
  finding.check('sleeps begun', !!decided && !later, session, () => `at ${begun.notBefore}, decided ${decided?.at}, active ${later?.at}`);
}

/** 1c. Checks that activity is refused exactly for sessions that are being deleted. */
function checkRefusals(finding: PromiseResult, session: SessionEvidence): void {
  const end = session.changes.find(({ to }) => to === 'deleting' || to === 'deleted');
  for (const { at, request } of session.signals) {
    if (!end) finding.count('acknowledged while alive');
    else
      finding.check('acknowledged before the end', at <= end.at && request.sentAt <= end.at, session, () => `${at}, deleting at ${end.at}`);
  }
  for (const request of session.requests.filter(({ status }) => status === 410)) {
    finding.check('refused', !!end && end.at <= request.answeredAt, session, () => `at ${request.answeredAt}, deleting at ${end?.at}`);
  }
}

/**
 * 1. Checks that no idle sleep or delete is decided against activity acknowledged within `sleepAfter`, or against a hold; that none is
 * sent more than 1 s after its decision; and that activity on a session being deleted is refused. Activity acknowledged after a
 * decision is followed by a wake: promise 3.
 */
export function promise1(evidence: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const session of evidence.sessions) {
    for (const change of session.changes.filter(isIdleDecision)) checkDecision(finding, session, change);
    for (const call of session.calls) if (call.call === 'sleep' || call.call === 'delete') checkSending(finding, session, call, evidence);
    checkRefusals(finding, session);
    finding.count(
      'activity acknowledged',
      session.requests.filter((request) => request.kind === 'activity' && isAcknowledged(request)).length,
    );
  }
  return finding;
}

/**
 * 7. Checks that after an outage of pings longer than `sleepAfter`, no session that was active at its start is put to sleep or deleted
 * for being idle before a full `sleepAfter` has passed. The outage began when no ping could succeed, and lasted at least until the
 * last ping was refused.
 */
export function promise7({ sessions, outages }: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const { kind, from, to } of outages) {
    finding.count(`outages of ${kind}`);
    for (const session of sessions) {
      const patience = session.idle.sleepAfter ?? session.idle.deleteAfter;
      const last = session.signals.findLast(({ at }) => at <= from);
      const active = last && from - last.at < patience && changeAt(session, from)?.to === 'active';
      if (!active || patience >= to - from) continue;
      finding.count(`active when ${kind} went`);
      const decision = session.changes.find((change) => isIdleDecision(change) && change.at > from);
      if (!decision) continue;
      finding.check('decided after an outage', decision.at >= to + patience, session, () => {
        return `${decision.to} at ${decision.at}, outage from ${from} to ${to}, idle after ${patience}`;
      });
    }
  }
  return finding;
}
