import { beforeAll, describe, expect, it } from 'vitest';
import { type Plan, type PromiseNumber, run, type Verdict } from './run.ts';

const PROMISES: Readonly<Record<PromiseNumber, string>> = {
  1: 'nobody is put to sleep or deleted against their activity or a hold',
  2: 'every idle session is asleep, every one past its time deleted, in time',
  3: 'activity on a sleeping or falling-asleep session is followed by a wake',
  4: 'one call per session at a time; takeovers after the lease, and verified',
  5: 'nothing acknowledged is lost',
  6: 'a session-manager in trouble costs delay only',
  7: 'an outage of the pings’ way in puts nobody to sleep',
};

/** Runs the plan once, and checks each of the seven promises against the result. */
export function promisesHold(plan: Plan): void {
  describe(`promises: ${plan.name}`, () => {
    let verdict: Verdict;
    beforeAll(async () => {
      verdict = await run(plan);
    }, 240_000);

    // Promise 7 needs an outage of pings, and there is none where only the session-manager fails.
    const promises = Object.entries(PROMISES).filter(([number]) => !(plan.usersUntouched && number === '7'));
    it.each(promises)('%s. %s', (number) => {
      const n = Number(number) as PromiseNumber;
      const { checked, broken } = verdict.findings[n];
      const checks = Object.values(checked).reduce((sum, count) => sum + count, 0);
      expect(checks, 'comparisons of what was promised with what happened').toBeGreaterThan(0);
      expect(broken.slice(0, 10), `SANDMAN_SEED=${verdict.seed}, ${broken.length} in all`).toEqual([]);
      for (const [what, least] of Object.entries(plan.atLeast[n] ?? {})) {
        expect(checked[what] ?? 0, `SANDMAN_SEED=${verdict.seed}: ${what} of ${JSON.stringify(checked)}`).toBeGreaterThanOrEqual(least);
      }
    });
  });
}
