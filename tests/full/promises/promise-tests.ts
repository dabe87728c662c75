import { beforeAll, describe, expect, it } from 'vitest';
import { type Plan, type PromiseNumber, type RunResult, run } from './run.ts';

const PROMISES: Readonly<Record<PromiseNumber, string>> = {
  1: 'no session is put to sleep or deleted against its user’s activity or a hold',
  2: 'every idle session is asleep, every one past its time deleted, in time',
  3: 'activity on a sleeping or falling-asleep session is followed by a wake',
  4: 'one call per session at a time; takeovers after the lease, and verified',
  5: 'nothing acknowledged is lost',
  6: 'a session-manager in trouble costs delay only',
  7: 'an outage of the intake of pings puts no session to sleep',
  8: 'a delete with a grace comes neither early, nor after its user came back, and in time otherwise',
  9: 'a kept session is not deleted',
};

/** Runs the plan once, and checks each of the nine promises against the result. */
export function describePromises(plan: Plan): void {
  describe(`promises: ${plan.name}`, () => {
    let result: RunResult;
    beforeAll(async () => {
      result = await run(plan);
    }, 240_000);

    // Promise 7 needs an outage of pings, and there is none where only the session-manager fails.
    const promises = Object.entries(PROMISES).filter(([number]) => !(plan.onlySessionManagerFails && number === '7'));
    it.each(promises)('%s. %s', (number) => {
      const n = Number(number) as PromiseNumber;
      const { checked, broken } = result.findings[n];
      const checks = Object.values(checked).reduce((sum, count) => sum + count, 0);
      expect(checks, 'comparisons of what was promised with what happened').toBeGreaterThan(0);
      expect(broken.slice(0, 10), `SANDMAN_SEED=${result.seed}, ${broken.length} in all`).toEqual([]);
      for (const [what, least] of Object.entries(plan.atLeast[n] ?? {})) {
        expect(checked[what] ?? 0, `SANDMAN_SEED=${result.seed}: ${what} of ${JSON.stringify(checked)}`).toBeGreaterThanOrEqual(least);
      }
    });
  });
}
