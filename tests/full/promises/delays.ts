import type { AcknowledgedSignal, Evidence, SessionEvidence } from './evidence.ts';
import { changeAt, PromiseResult } from './promise-result.ts';
import { DOUBT_MS } from './proxied-stack.ts';
import { isAcknowledged } from './users.ts';

/** The longest delay of a sleep or a delete without a fault, and after the end of one, in ms. */
export const PROMPT_MS = 1_000;
const RECOVERY_MS = 30_000;
/** Wakes have no promised bound. A wake later than this was not caused by the activity. In ms. */
const WAKE_MS = 5_000;

interface Bound {
  /** The time by which it must have happened, in ms since the epoch. */
  readonly by: number;
  /** The end of the last fault that excuses a delay, or 0. */
  readonly excuse: number;
}

/**
 * Returns by when something due at `due` is promised: `prompt` ms later. A fault excuses a delay from its start until 30 s after its
 * end, plus the length of a doubt if it left an unknown outcome. If that delay reaches into another fault, that fault excuses it too.
 */
export function promisedBy(session: SessionEvidence, due: number, prompt: number, { faults }: Evidence): Bound {
  let by = due + prompt;
  let excuse = 0;
  for (let grown = true; grown; ) {
    grown = false;
    for (const { from, to } of faults) {
      const doubted = session.writes.some(({ set, notBefore }) => set.verifyAt && notBefore >= from && notBefore <= to + RECOVERY_MS);
      const until = to + RECOVERY_MS + (doubted ? DOUBT_MS : 0);
      if (from > by || until < due || until <= by) continue;
      by = until;
      excuse = Math.max(excuse, to);
      grown = true;
    }
  }
  return { by, excuse };
}

function checkDue(
  finding: PromiseResult,
  session: SessionEvidence,
  what: 'asleep' | 'deleted',
  due: number,
  next: number,
  evidence: Evidence,
): void {
  const { by, excuse } = promisedBy(session, due, PROMPT_MS, evidence);
  // The next request came before the promise was due, or the run ended before it.
  if (next <= by || (by > evidence.endedAt && changeAt(session, by)?.to !== (what === 'asleep' ? 'sleeping' : 'deleted'))) return;
  const good = what === 'asleep' ? ['sleeping', 'deleting', 'deleted'] : ['deleted'];
  const { to = 'nothing' } = changeAt(session, by) ?? {};
  const kind = excuse === 0 ? 'in time' : 'after a fault';
  finding.check(`${what} ${kind}`, good.includes(to), session, () => `${to} at ${by}, due at ${due}, last fault ended at ${excuse}`);
  if (good.includes(changeAt(session, due)?.to ?? '')) return;
  const happened = session.changes.find((change) => change.at > due && good.includes(change.to));
  if (happened) finding.worst(`latest ${what} ${kind}, ms`, happened.at - Math.max(due, excuse));
}

/**
 * Returns when a session is due to be asleep: at `due` ms since the epoch, or a full `sleepAfter` after the end of a wake before that,
 * because it counts as activity (a hold that arrives just as the session falls asleep wakes it).
 */
function idleAt({ changes, idle: { sleepAfter } }: SessionEvidence, due: number, next: number): number {
  const woken = changes.findLast(({ at, from, to }) => from === 'waking' && to === 'active' && at <= due && at < next);
  return woken ? Math.max(due, woken.at + (sleepAfter ?? 0)) : due;
}

/**
 * 2. Walks through a session's requests. After each one, computes when the session is due to be asleep and to be deleted, unless the
 * next request comes first. A request without an acknowledgement may have been carried out; it counts where that delays a deadline.
 */
function checkLife(finding: PromiseResult, session: SessionEvidence, evidence: Evidence): void {
  const { sleepAfter, deleteAfter } = session.idle;
  let active = 0;
  let held = 0;
  for (const [i, request] of session.requests.entries()) {
    const done = isAcknowledged(request);
    const next = session.requests[i + 1]?.sentAt ?? Number.POSITIVE_INFINITY;
    if (request.kind === 'logout') {
      if (!done) continue;
      checkDue(finding, session, 'deleted', request.answeredAt, Number.POSITIVE_INFINITY, evidence);
      return;
    }
    if (request.kind === 'create' || request.kind === 'activity')
      active = Math.max(active, request.status === 410 ? 0 : request.answeredAt);
    if (request.kind === 'hold' && request.status !== 410) held = Math.max(done ? 0 : held, request.answeredAt + request.span);
    if ((request.kind === 'unhold' || request.kind === 'sleep') && done) held = 0;
    const byHand = request.kind === 'sleep' && done;
    if (byHand || sleepAfter !== null) {
      const idle = byHand ? request.answeredAt : idleAt(session, Math.max(active + (sleepAfter ?? 0), held, request.answeredAt), next);
      checkDue(finding, session, 'asleep', idle, next, evidence);
      const slept = session.changes.findLast(({ at, to }) => to === 'sleeping' && at < next);
      // A hold after that sleep has woken the session.
      if (slept && slept.at >= held) checkDue(finding, session, 'deleted', Math.max(slept.at, active) + deleteAfter, next, evidence);
    } else {
      checkDue(finding, session, 'deleted', Math.max(active + deleteAfter, held), next, evidence);
    }
  }
}

const POD: Readonly<Record<string, number | null>> = { awake: 1, asleep: 0, gone: null };

/** 2. Checks that idle sessions are asleep and expired ones deleted in time, and that in the end each pod is as its record says. */
export function promise2(evidence: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const session of evidence.sessions) {
    checkLife(finding, session, evidence);
    const { record, replicas } = session;
    const settled = record.pod === record.wanted && POD[record.pod ?? ''] === replicas;
    finding.check(`${record.pod} at the end`, settled, session, () => `wanted ${record.wanted}, ${replicas} replicas`);
  }
  return finding;
}

/** Returns the last effect of a sleep that had been decided before this activity, in ms since the epoch, or 0. */
function sleptBefore(session: SessionEvidence, { at }: AcknowledgedSignal): number {
  const effects = session.calls.filter(({ call, effectAt, idempotencyKey }) => {
    const begun = session.begun.get(idempotencyKey);
    if (call !== 'sleep' || effectAt === 0 || !begun) return false;
    const decided = session.changes.findLast((change) => change.to === 'falling-asleep' && change.at <= begun.notAfter);
    return !!decided && (decided.at < at || (decided.at === at && decided.cause === 'idle'));
  });
  return Math.max(0, ...effects.map(({ effectAt }) => effectAt));
}

/**
 * 3. Checks that if a sleep decided before an activity affects the pod, a wake takes effect after it: either before the activity (the
 * pod was awake again) or within the bound. Not needed if the user logs out or puts the session to sleep by hand meanwhile, or stays
 * away until the session is to be deleted (promise 1 says when).
 */
export function promise3(evidence: Evidence): PromiseResult {
  const finding = new PromiseResult();
  for (const session of evidence.sessions) {
    for (const signal of session.signals) {
      const slept = sleptBefore(session, signal);
      if (slept === 0) continue;
      const woken = session.calls.find(({ call, effectAt }) => call === 'wake' && effectAt >= slept);
      if (woken && woken.effectAt < signal.at) {
        finding.count('came to a pod that was awake again');
        continue;
      }
      const due = Math.max(signal.at, slept);
      const { by, excuse } = promisedBy(session, due, WAKE_MS, evidence);
      const kind = excuse === 0 ? 'at once' : 'after a fault';
      const unwanted = session.requests.find(
        ({ kind, sentAt }) => sentAt >= signal.request.answeredAt && sentAt <= by && (kind === 'sleep' || kind === 'logout'),
      );
      if (!woken && unwanted) {
        finding.count('came and went');
        continue;
      }
      if (!woken && excuse > 0 && session.changes.some(({ at, cause }) => cause === 'delete-due' && at > signal.at && at <= by)) {
        finding.count('deleted at the full deadline, never woken');
        continue;
      }
      finding.check(`woken ${kind}`, !!woken && woken.effectAt <= by, session, () => {
        return `active at ${signal.at}, asleep at ${slept}, woken at ${woken?.effectAt}, not by ${by}`;
      });
      if (woken) finding.worst(`latest wake ${kind}, ms`, woken.effectAt - Math.max(due, excuse));
    }
  }
  return finding;
}
