import { PROMPT_MS, promisedBy } from './delays.ts';
import type { Evidence } from './evidence.ts';
import { changeAt, PromiseResult } from './promise-result.ts';

type LeavingEvidence = Evidence['leavings'][number];

/** Checks that no delete is decided or sent before the end of a grace or a keep. */
function checkNotEarly(finding: PromiseResult, { session, kind, until }: LeavingEvidence): void {
  const decided = session.changes.find(({ to }) => to === 'deleting');
  const early = `deleted before the ${kind} is over`;
  finding.check(`not ${early}`, !decided || decided.at >= until, session, () => `at ${decided?.at}, until ${until}`);
  for (const { at } of session.calls.filter(({ call }) => call === 'delete')) {
    finding.check('delete calls', at >= until, session, () => `at ${at}, until ${until}`);
  }
}

/** Checks that a session is deleted in time after the end of its grace or keep. */
function checkInTime(finding: PromiseResult, { session, until }: LeavingEvidence, evidence: Evidence): void {
  const { by, excuse } = promisedBy(session, until, PROMPT_MS, evidence);
  if (by > evidence.endedAt) return;
  const { to = 'nothing' } = changeAt(session, by) ?? {};
  finding.check(
    `deleted ${excuse === 0 ? 'in time' : 'after a fault'}`,
    to === 'deleted',
    session,
    () => `${to} at ${by}, due at ${until}`,
  );
}

/**
 * 8. Checks that a delete with a grace is not carried out before the grace is over, nor after its user came back, and that it is
 * carried out in time otherwise. A return that was refused came after the delete was decided.
 */
export function promise8(evidence: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const leaving of evidence.leavings.filter(({ kind }) => kind === 'grace')) {
    const { session, back, until } = leaving;
    checkNotEarly(finding, leaving);
    const decided = session.changes.find(({ to }) => to === 'deleting');
    if (back?.status === 202) finding.check('returns', !decided, session, () => `deleted at ${decided?.at}, back at ${back.sentAt}`);
    else if (back) {
      const isLate = decided !== undefined && decided.at <= back.answeredAt;
      finding.check('refused returns', isLate, session, () => `deleted at ${decided?.at}, refused at ${back.answeredAt}, until ${until}`);
    } else checkInTime(finding, leaving, evidence);
  }
  return finding;
}

/** 9. Checks that a kept session is not deleted before its keep ends, and that it is deleted in time then, because it is due. */
export function promise9(evidence: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const leaving of evidence.leavings.filter(({ kind }) => kind === 'keep')) {
    checkNotEarly(finding, leaving);
    checkInTime(finding, leaving, evidence);
  }
  return finding;
}
