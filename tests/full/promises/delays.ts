import type { Evidence, Life, Signal } from './evidence.ts';
import { changeAt, Finding } from './finding.ts';
import { isAcknowledged } from './users.ts';
import { DOUBT_MS } from './world.ts';

/** How late a sleep or a delete may be without a fault, and after the end of one, in ms. */
const PROMPT_MS = 1_000;
const RECOVERY_MS = 30_000;
/** A wake has no such bound; one that comes later than this did not follow the activity, but something else. In ms. */
const WAKE_MS = 5_000;

interface Bound {
  /** By when it must have happened. */
  readonly by: number;
  /** The end of the last fault that excuses it; 0: none does. */
  readonly excuse: number;
}

/**
 * By when what is due at `due` is promised: `prompt` ms later. A fault excuses from its begin until 30 s after its end, longer by the
 * doubt where it left an unknown outcome; what it delays into another fault is excused by that one too.
 */
function bound(life: Life, due: number, prompt: number, { faults }: Evidence): Bound {
  let by = due + prompt;
  let excuse = 0;
  for (let grown = true; grown; ) {
    grown = false;
    for (const { from, to } of faults) {
      const doubted = life.writes.some(({ set, notBefore }) => set.verifyAt && notBefore >= from && notBefore <= to + RECOVERY_MS);
      const until = to + RECOVERY_MS + (doubted ? DOUBT_MS : 0);
      if (from > by || until < due || until <= by) continue;
      by = until;
      excuse = Math.max(excuse, to);
      grown = true;
    }
  }
  return { by, excuse };
}

function checkDue(finding: Finding, life: Life, what: 'asleep' | 'deleted', due: number, next: number, evidence: Evidence): void {
  const { by, excuse } = bound(life, due, PROMPT_MS, evidence);
  // Somebody came before the promise was due, or nobody was there any more to see it.
  if (next <= by || (by > evidence.endedAt && changeAt(life, by)?.to !== (what === 'asleep' ? 'sleeping' : 'deleted'))) return;
  const good = what === 'asleep' ? ['sleeping', 'deleting', 'deleted'] : ['deleted'];
  const { to = 'nothing' } = changeAt(life, by) ?? {};
  const kind = excuse === 0 ? 'in time' : 'after a fault';
  finding.check(`${what} ${kind}`, good.includes(to), life, () => `${to} at ${by}, due at ${due}, last fault ended at ${excuse}`);
  if (good.includes(changeAt(life, due)?.to ?? '')) return;
  const happened = life.changes.find((change) => change.at > due && good.includes(change.to));
  if (happened) finding.worst(`latest ${what} ${kind}, ms`, happened.at - Math.max(due, excuse));
}

/**
 * 2. Walks a session's deeds: after each one follows when it is due to be asleep and to be deleted, unless the next deed
 * comes before that. What was sent and not acknowledged may have been done: it counts where that delays.
 */
function checkLife(finding: Finding, life: Life, evidence: Evidence): void {
  const { sleepAfter, deleteAfter } = life.idle;
  let active = 0;
  let held = 0;
  for (const [i, deed] of life.deeds.entries()) {
    const done = isAcknowledged(deed);
    const next = life.deeds[i + 1]?.sentAt ?? Number.POSITIVE_INFINITY;
    if (deed.kind === 'logout') {
      if (!done) continue;
      checkDue(finding, life, 'deleted', deed.answeredAt, Number.POSITIVE_INFINITY, evidence);
      return;
    }
    if (deed.kind === 'create' || deed.kind === 'activity') active = Math.max(active, deed.status === 410 ? 0 : deed.answeredAt);
    if (deed.kind === 'hold' && deed.status !== 410) held = Math.max(done ? 0 : held, deed.answeredAt + deed.span);
    if ((deed.kind === 'unhold' || deed.kind === 'sleep') && done) held = 0;
    const byHand = deed.kind === 'sleep' && done;
    if (byHand || sleepAfter !== null) {
      const idle = byHand ? deed.answeredAt : Math.max(active + (sleepAfter ?? 0), held, deed.answeredAt);
      checkDue(finding, life, 'asleep', idle, next, evidence);
      const slept = life.changes.findLast(({ at, to }) => to === 'sleeping' && at < next);
      if (slept) checkDue(finding, life, 'deleted', Math.max(slept.at, active) + deleteAfter, next, evidence);
    } else {
      checkDue(finding, life, 'deleted', Math.max(active + deleteAfter, held), next, evidence);
    }
  }
}

const POD: Readonly<Record<string, number | null>> = { awake: 1, asleep: 0, gone: null };

/** Every idle session asleep, and every session past its time deleted, in time; and at the end each pod as its record says. */
export function promise2(evidence: Evidence): Finding {
  const finding = new Finding();
  for (const life of evidence.lives) {
    checkLife(finding, life, evidence);
    const { record, replicas } = life;
    const settled = record.pod === record.wanted && POD[record.pod ?? ''] === replicas;
    finding.check(`${record.pod} at the end`, settled, life, () => `wanted ${record.wanted}, ${replicas} replicas`);
  }
  return finding;
}

/** The last effect of a sleep that had been decided when the user came. */
function sleptBefore(life: Life, { at }: Signal): number {
  const effects = life.calls.filter(({ call, effectAt, idempotencyKey }) => {
    const begun = life.begun.get(idempotencyKey);
    if (call !== 'sleep' || effectAt === 0 || !begun) return false;
    const decided = life.changes.findLast((change) => change.to === 'falling-asleep' && change.at <= begun.notAfter);
    return !!decided && (decided.at < at || (decided.at === at && decided.cause === 'idle'));
  });
  return Math.max(0, ...effects.map(({ effectAt }) => effectAt));
}

/**
 * 3. After activity, the last effect that a sleep decided before it has on the pod is followed by the effect of a wake:
 * by one before the activity (the pod was awake again), or by one that follows. A user who logs out or puts
 * to sleep by hand meanwhile wants none, and one who stays away until the session is to be deleted needs none (promise 1
 * says when that is).
 */
export function promise3(evidence: Evidence): Finding {
  const finding = new Finding();
  for (const life of evidence.lives) {
    for (const signal of life.signals) {
      const slept = sleptBefore(life, signal);
      if (slept === 0) continue;
      const woken = life.calls.find(({ call, effectAt }) => call === 'wake' && effectAt >= slept);
      if (woken && woken.effectAt < signal.at) {
        finding.count('came to a pod that was awake again');
        continue;
      }
      const due = Math.max(signal.at, slept);
      const { by, excuse } = bound(life, due, WAKE_MS, evidence);
      const kind = excuse === 0 ? 'at once' : 'after a fault';
      const unwanted = life.deeds.find(
        ({ kind, sentAt }) => sentAt >= signal.deed.answeredAt && sentAt <= by && (kind === 'sleep' || kind === 'logout'),
      );
      if (!woken && unwanted) {
        finding.count('came and went');
        continue;
      }
      if (!woken && excuse > 0 && life.changes.some(({ at, cause }) => cause === 'delete-due' && at > signal.at && at <= by)) {
        finding.count('deleted at the full deadline, never woken');
        continue;
      }
      finding.check(`woken ${kind}`, !!woken && woken.effectAt <= by, life, () => {
        return `active at ${signal.at}, asleep at ${slept}, woken at ${woken?.effectAt}, not by ${by}`;
      });
      if (woken) finding.worst(`latest wake ${kind}, ms`, woken.effectAt - Math.max(due, excuse));
    }
  }
  return finding;
}
