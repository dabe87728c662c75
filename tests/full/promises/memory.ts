import type { Evidence, Life } from './evidence.ts';
import { Finding } from './finding.ts';
import { type Deed, isAcknowledged } from './users.ts';

/** An answer at most this long before a kill is one that the kill could have lost, in ms. */
const FRESH_MS = 500;

/** Checks that an acknowledged change is in the record at the end, unless a later request, acknowledged or not, may have replaced it. */
function checkKept(finding: Finding, life: Life, deed: Deed, later: readonly Deed[]): void {
  const { record } = life;
  const replaced = later.some(({ kind }) => kind === 'hold' || kind === 'unhold' || kind === 'sleep');
  if (deed.kind === 'logout') {
    finding.check('logouts kept', record.wanted === 'gone' && life.replicas === null, life, () => `logged out at ${deed.answeredAt}`);
  } else if (deed.kind === 'sleep') {
    finding.check('sleeps by hand kept', Number(record.manualSleepAt) >= deed.sentAt, life, () => `asked at ${deed.sentAt}`);
  } else if (deed.kind === 'hold' && !replaced) {
    const until = Date.parse(deed.view?.holdUntil ?? '');
    finding.check('holds kept', Number(record.holdUntil) === until, life, () => `until ${until}, and not ${record.holdUntil}`);
  }
}

/**
 * 5. Checks that nothing acknowledged is lost: an answer reports what was written (activity is dated between request and answer), no
 * later answer knows less, and the record at the end still has it.
 */
export function promise5({ lives, kills }: Evidence): Finding {
  const finding = new Finding();
  for (const { what } of kills) finding.count(`${what} kills`);
  for (const life of lives) {
    let known = 0;
    for (const [i, deed] of life.deeds.entries()) {
      finding.check('sessions known', deed.status !== 404, life, () => `404 at ${deed.answeredAt}`);
      if (!isAcknowledged(deed)) continue;
      const at = Date.parse(deed.view!.lastActivity);
      finding.check('answers that know the former ones', at >= known, life, () => `${at} at ${deed.answeredAt}, after ${known}`);
      if (deed.kind === 'create' || deed.kind === 'activity') {
        const dated = at >= deed.sentAt - 1 && at <= deed.answeredAt + 1;
        finding.check('activity dated', dated, life, () => `${at} for one of ${deed.sentAt} to ${deed.answeredAt}`);
      }
      known = Math.max(known, at);
      checkKept(finding, life, deed, life.deeds.slice(i + 1));
      const fresh = kills.some((kill) => kill.at >= deed.answeredAt && kill.at - deed.answeredAt < FRESH_MS);
      if (fresh) finding.count('acknowledged shortly before a kill');
    }
    finding.check(
      'last activity kept',
      Number(life.record.lastActivity ?? 0) >= known,
      life,
      () => `${life.record.lastActivity}, not ${known}`,
    );
  }
  return finding;
}
