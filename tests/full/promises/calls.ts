import { isIdleDecision, TRAVEL_MS } from './decisions.ts';
import type { Call, Evidence, Life } from './evidence.ts';
import { Finding } from './finding.ts';
import type { Write } from './recorder.ts';
import { DOUBT_MS, LEASE_MS } from './world.ts';

/** The last time that the lease of this token was written down. */
function lastLease(life: Life, token: string): Write | undefined {
  let owner = '';
  let last: Write | undefined;
  for (const write of life.writes) {
    if (write.set.token) owner = write.set.token;
    if (owner === token && write.set.actionUntil) last = write;
    if (write.removed.includes('token')) owner = '';
  }
  return last;
}

/** 4a. Of two calls the second comes after the first was answered or lost, or after its owner's lease ran out. */
function checkOverlap(finding: Finding, life: Life, first: Call, second: Call): void {
  const over = first.doneAt > 0 ? second.at >= first.doneAt : first.lostAt > 0 ? second.at >= first.lostAt - TRAVEL_MS : false;
  const lease = lastLease(life, first.idempotencyKey);
  const begun = life.begun.get(second.idempotencyKey);
  const ranOut = !!lease && !!begun && begun.notAfter - lease.notBefore >= LEASE_MS;
  finding.check('calls one after the other', over || ranOut, life, () => {
    return `${second.call} at ${second.at} during ${first.call} of ${first.at} to ${first.doneAt || first.lostAt}`;
  });
  if (!over) finding.count('calls beside one whose lease ran out');
}

/**
 * 4b. Follows the lock through the record's writes. A takeover is the one end of a call that neither draws alarms nor
 * says that the pod sleeps: what does is its owner's own result.
 */
function checkTakeovers(finding: Finding, life: Life): void {
  let owner = '';
  let action = '';
  let lease: Write | undefined;
  for (const write of life.writes) {
    if (write.set.token) {
      finding.check('begun while no other was', owner === '', life, () => `${write.set.action} at ${write.notBefore} over ${action}`);
      owner = write.set.token;
      action = write.set.action ?? '';
    }
    if (write.set.actionUntil) lease = write;
    if (!write.removed.includes('token') || owner === '') continue;
    owner = '';
    if (write.set.n || write.set.pod === 'asleep' || !lease) continue;
    const age = write.notAfter - lease.notBefore;
    finding.check(`takeovers of a ${action}`, age >= LEASE_MS, life, () => `at ${write.notBefore}, ${age} ms after its lease was renewed`);
    if (action !== 'status') checkVerified(finding, life, write, lease.notBefore + LEASE_MS);
  }
}

/**
 * 4c. What a takeover may have left behind is read once nothing can land any more that was sent before the lease ran out
 * (at `lapsed`), and nobody idles away before that.
 */
function checkVerified(finding: Finding, life: Life, takeover: Write, lapsed: number): void {
  const ended = life.changes.find(({ at, to }) => (to === 'deleting' || to === 'deleted') && at >= takeover.notBefore - DOUBT_MS);
  const read = life.calls.find(({ call, at, status }) => call === 'status' && status === 200 && at >= lapsed + DOUBT_MS);
  if (ended && !(read && read.at < ended.at)) {
    finding.count('takeovers of a session that went');
    return;
  }
  finding.check('takeovers verified', !!read, life, () => `taken over at ${takeover.notBefore}`);
  const slept = life.changes.find((change) => isIdleDecision(change) && change.at > takeover.notAfter && change.at < (read?.at ?? 0));
  finding.check('doubts not slept on', slept?.to !== 'falling-asleep', life, () => `${slept?.at}, verified at ${read?.at}`);
}

/** At most one call per session in flight, each under the lock; a takeover only after the lease, and verified. */
export function promise4({ lives }: Evidence): Finding {
  const finding = new Finding();
  for (const life of lives) {
    const seen = new Set<string>();
    for (const [i, call] of life.calls.entries()) {
      const { idempotencyKey: token } = call;
      const locked = life.begun.has(token) && !seen.has(token);
      finding.check(`${call.call} under a lock of its own`, locked, life, () => `at ${call.at}, token ${token}`);
      seen.add(token);
      // In the order of their coming, an earlier one may be in flight longer than the one before.
      for (const earlier of life.calls.slice(Math.max(0, i - 3), i)) checkOverlap(finding, life, earlier, call);
    }
    finding.count('begun and not sent', [...life.begun.keys()].filter((token) => !seen.has(token)).length);
    checkTakeovers(finding, life);
  }
  return finding;
}

/** What the session-manager was made to do to a call. */
function mishap({ status, doneAt, lostAt, effectAt }: Call): string | null {
  if (effectAt > (doneAt || lostAt || Number.POSITIVE_INFINITY)) return 'landed late';
  if (doneAt === 0 && lostAt > 0) return effectAt > 0 ? 'cut after acting' : 'lost without acting';
  if (status === 429) return 'answered 429';
  return status >= 500 ? 'answered 5xx' : null;
}

/**
 * 6. A session-manager in trouble costs delay only: what is due happens (promises 2 and 3), its Retry-After is kept to, no
 * session is taken to be gone, and users are answered.
 *
 * @param retryAfter what its 429s asked for, in ms
 * @param usersUntouched whether nothing but the session-manager was in trouble
 */
export function promise6({ lives }: Evidence, retryAfter: number, usersUntouched: boolean): Finding {
  const finding = new Finding();
  for (const life of lives) {
    const lost = life.changes.find(({ cause }) => cause === 'gone');
    finding.check('sessions not taken to be gone', !lost, life, () => `gone at ${lost?.at}`);
    for (const [i, call] of life.calls.entries()) {
      const what = mishap(call);
      if (what) finding.count(what);
      const next = life.calls[i + 1];
      if (call.status === 429 && next) {
        const kept = next.at - call.doneAt;
        finding.check('Retry-After kept to', kept >= retryAfter, life, () => `${next.call} ${kept} ms after a 429`);
      }
    }
    if (!usersUntouched) continue;
    for (const { kind, status, answeredAt } of life.deeds.filter((deed) => deed.kind !== 'create')) {
      finding.check('users answered', status > 0 && status < 500, life, () => `${kind} at ${answeredAt}: ${status}`);
    }
  }
  return finding;
}
