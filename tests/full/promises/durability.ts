import type { Evidence, SessionEvidence } from './evidence.ts';
import { PromiseResult } from './promise-result.ts';
import { isAcknowledged, type UserRequest } from './users.ts';

/** An answer at most this long before a kill is one that the kill could have lost, in ms. */
const FRESH_MS = 500;

/** Checks that an acknowledged change is in the record at the end, unless a later request, acknowledged or not, may have replaced it. */
function checkDurable(finding: PromiseResult, session: SessionEvidence, request: UserRequest, later: readonly UserRequest[]): void {
  const { record } = session;
  const replaced = later.some(({ kind }) => kind === 'hold' || kind === 'unhold' || kind === 'sleep');
  if (request.kind === 'logout') {
    finding.check(
      'logouts kept',
      record.wanted === 'gone' && session.replicas === null,
      session,
      () => `logged out at ${request.answeredAt}`,
    );
  } else if (request.kind === 'sleep') {
    finding.check('sleeps by hand kept', Number(record.manualSleepAt) >= request.sentAt, session, () => `asked at ${request.sentAt}`);
  } else if (request.kind === 'hold' && !replaced) {
    const until = Date.parse(request.view?.holdUntil ?? '');
    finding.check('holds kept', Number(record.holdUntil) === until, session, () => `until ${until}, and not ${record.holdUntil}`);
  }
}

/**
 * 5. Checks that nothing acknowledged is lost: an answer reports what was written (activity is dated between request and answer), no
 * later answer knows less, and the record at the end still has it.
 */
export function promise5({ sessions, kills }: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const { what } of kills) finding.count(`${what} kills`);
  for (const session of sessions) {
    let known = 0;
    for (const [i, request] of session.requests.entries()) {
      finding.check('sessions known', request.status !== 404, session, () => `404 at ${request.answeredAt}`);
      if (!isAcknowledged(request)) continue;
      const at = Date.parse(request.view!.lastActivity);
      finding.check('answers that know the former ones', at >= known, session, () => `${at} at ${request.answeredAt}, after ${known}`);
      if (request.kind === 'create' || request.kind === 'activity') {
        const dated = at >= request.sentAt - 1 && at <= request.answeredAt + 1;
        finding.check('activity dated', dated, session, () => `${at} for one of ${request.sentAt} to ${request.answeredAt}`);
      }
      known = Math.max(known, at);
      checkDurable(finding, session, request, session.requests.slice(i + 1));
      const fresh = kills.some((kill) => kill.at >= request.answeredAt && kill.at - request.answeredAt < FRESH_MS);
      if (fresh) finding.count('acknowledged shortly before a kill');
    }
    finding.check(
      'last activity kept',
      Number(session.record.lastActivity ?? 0) >= known,
      session,
      () => `${session.record.lastActivity}, not ${known}`,
    );
  }
  return finding;
}
