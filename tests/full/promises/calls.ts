import type { ScriptWrite } from './aof-writes.ts';
import { isIdleDecision, TRAVEL_MS } from './decisions.ts';
import type { Evidence, LoggedCall, SessionEvidence } from './evidence.ts';
import { PromiseResult } from './promise-result.ts';
import { DOUBT_MS, LEASE_MS } from './proxied-stack.ts';

/** Returns the last write of the lease that belongs to this token. */
function lastLease(session: SessionEvidence, token: string): ScriptWrite | undefined {
  let owner = '';
  let last: ScriptWrite | undefined;
  for (const write of session.writes) {
    if (write.set.token) owner = write.set.token;
    if (owner === token && write.set.actionUntil) last = write;
    if (write.removed.includes('token')) owner = '';
  }
  return last;
}

/** 4a. Checks that the second call comes after the first was answered or lost, or after its owner's lease ran out. */
function checkOverlap(finding: PromiseResult, session: SessionEvidence, first: LoggedCall, second: LoggedCall): void {
  const over = first.doneAt > 0 ? second.at >= first.doneAt : first.lostAt > 0 ? second.at >= first.lostAt - TRAVEL_MS : false;
  const lease = lastLease(session, first.idempotencyKey);
  const begun = session.begun.get(second.idempotencyKey);
  const ranOut = !!lease && !!begun && begun.notAfter - lease.notBefore >= LEASE_MS;
  finding.check('calls one after the other', over || ranOut, session, () => {
    return `${second.call} at ${second.at} during ${first.call} of ${first.at} to ${first.doneAt || first.lostAt}`;
  });
  if (!over) finding.count('calls beside one whose lease ran out');
}

/**
 * 4b. Follows the lock through the record's writes. The end of a call is a takeover if it neither draws an alarm number nor writes
 * that the pod is asleep; an owner's own result does one of these.
 */
function checkTakeovers(finding: PromiseResult, session: SessionEvidence): void {
  let owner = '';
  let action = '';
  let lease: ScriptWrite | undefined;
  for (const write of session.writes) {
    if (write.set.token) {
      finding.check('begun while no other was', owner === '', session, () => `${write.set.action} at ${write.notBefore} over ${action}`);
      owner = write.set.token;
      action = write.set.action ?? '';
    }
    if (write.set.actionUntil) lease = write;
    if (!write.removed.includes('token') || owner === '') continue;
    owner = '';
    if (write.set.n || write.set.pod === 'asleep' || !lease) continue;
    const age = write.notAfter - lease.notBefore;
    finding.check(
      `takeovers of a ${action}`,
      age >= LEASE_MS,
      session,
      () => `at ${write.notBefore}, ${age} ms after its lease was renewed`,
    );
    if (action !== 'status') checkVerified(finding, session, write, lease.notBefore + LEASE_MS);
  }
}

/**
 * 4c. Checks that after a takeover a status is read once no call sent before the lease ran out (at `lapsed`) can take effect any
 * more, and that no idle sleep is decided before that.
 */
function checkVerified(finding: PromiseResult, session: SessionEvidence, takeover: ScriptWrite, lapsed: number): void {
  const ended = session.changes.find(({ at, to }) => (to === 'deleting' || to === 'deleted') && at >= takeover.notBefore - DOUBT_MS);
  const read = session.calls.find(({ call, at, status }) => call === 'status' && status === 200 && at >= lapsed + DOUBT_MS);
  if (ended && !(read && read.at < ended.at)) {
    finding.count('takeovers of a session that went');
    return;
  }
  finding.check('takeovers verified', !!read, session, () => `taken over at ${takeover.notBefore}`);
  const slept = session.changes.find((change) => isIdleDecision(change) && change.at > takeover.notAfter && change.at < (read?.at ?? 0));
  finding.check('doubts not slept on', slept?.to !== 'falling-asleep', session, () => `${slept?.at}, verified at ${read?.at}`);
}

/** Checks that each session has at most one call in flight, each under a lock, and that takeovers follow a lease and are verified. */
export function promise4({ sessions }: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const session of sessions) {
    const seen = new Set<string>();
    for (const [i, call] of session.calls.entries()) {
      const { idempotencyKey: token } = call;
      const locked = session.begun.has(token) && !seen.has(token);
      finding.check(`${call.call} under a lock of its own`, locked, session, () => `at ${call.at}, token ${token}`);
      seen.add(token);
      // Compares with several earlier calls, because one of them may be in flight longer than its successor.
      for (const earlier of session.calls.slice(Math.max(0, i - 3), i)) checkOverlap(finding, session, earlier, call);
    }
    finding.count('begun and not sent', [...session.begun.keys()].filter((token) => !seen.has(token)).length);
    checkTakeovers(finding, session);
  }
  return finding;
}

/** Returns what fault the session-manager applied to a call, or null. */
function faultOf({ status, doneAt, lostAt, effectAt }: LoggedCall): string | null {
  if (effectAt > (doneAt || lostAt || Number.POSITIVE_INFINITY)) return 'landed late';
  if (doneAt === 0 && lostAt > 0) return effectAt > 0 ? 'cut after acting' : 'lost without acting';
  if (status === 429) return 'answered 429';
  return status >= 500 ? 'answered 5xx' : null;
}

/**
 * 6. Checks that a failing session-manager only causes delay: its Retry-After is respected, no session is ended as gone, and users
 * are answered. Promises 2 and 3 check that what is due happens.
 *
 * @param retryAfter the `Retry-After` of its 429s, in ms
 * @param onlySessionManagerFails whether only the session-manager failed
 */
export function promise6({ sessions }: Evidence, retryAfter: number, onlySessionManagerFails: boolean): PromiseResult {
  const finding = new PromiseResult();
  for (const session of sessions) {
    const lost = session.changes.find(({ cause }) => cause === 'gone');
    finding.check('sessions not taken to be gone', !lost, session, () => `gone at ${lost?.at}`);
    for (const [i, call] of session.calls.entries()) {
      const what = faultOf(call);
      if (what) finding.count(what);
      const next = session.calls[i + 1];
      if (call.status === 429 && next) {
        const kept = next.at - call.doneAt;
        finding.check('Retry-After kept to', kept >= retryAfter, session, () => `${next.call} ${kept} ms after a 429`);
      }
    }
    if (!onlySessionManagerFails) continue;
    for (const { kind, status, answeredAt } of session.requests.filter((request) => request.kind !== 'create')) {
      finding.check('users answered', status > 0 && status < 500, session, () => `${kind} at ${answeredAt}: ${status}`);
    }
  }
  return finding;
}
