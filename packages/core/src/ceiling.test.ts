import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decide } from './decide.ts';
import { example, T0 } from './example.fixture.ts';
import { beginCall, endCall } from './outcomes.ts';
import type { Policy } from './policy.ts';
import { activity, hold } from './requests.ts';
import type { ActivityKind, SessionRecord } from './session.ts';

const MINUTE = 60_000;
const NO_DOUBT = { doubt: 0 };
const DONE = { outcome: { kind: 'done' }, sentAt: 0, podBefore: 'unknown', chance: 0 } as const;

interface Happening {
  readonly at: number;
  readonly what: ActivityKind | 'hold' | 'gap';
}

const minutes = (min: number, max: number) => fc.integer({ min, max }).map((count) => count * MINUTE);
const policies: fc.Arbitrary<Policy> = fc.record({
  name: fc.constant('custom'),
  sleepAfter: fc.option(minutes(1, 30), { freq: 3 }),
  deleteAfter: minutes(1, 60),
  backgroundCap: minutes(1, 90),
});
const happenings: fc.Arbitrary<Happening[]> = fc
  .array(
    fc.record({
      at: fc.integer({ min: 0, max: 150 * MINUTE }).map((ms) => T0 + ms),
      what: fc.constantFrom<Happening['what']>(
        'background',
        'background',
        'background',
        'background',
        'background',
        'background',
        'user',
        'hold',
        'gap',
      ),
    }),
    { minLength: 10, maxLength: 60 },
  )
  .map((all) => all.sort((a, b) => a.at - b.at));

it('no sequence of background signals keeps a session awake past the cap, ends it sooner, or brings it back', () => {
  const seen = { capped: 0, postponed: 0, dormant: 0 };
  fc.assert(
    fc.property(policies, happenings, (policy, events) => {
      const after = (policy.sleepAfter ?? policy.deleteAfter)!;
      let record: SessionRecord = example({ policy, createdAt: T0, lastActivity: T0 });
      let [user, held, gapEndedAt, now] = [T0, 0, 0, T0];

      const least = () => Math.max(user + after, held, gapEndedAt + after);
      const most = () => Math.max(least(), user + policy.backgroundCap);
      /** Decides each time that the last decision said to, as a worker does, until nothing is left to do before `until`. */
      const advance = (until: number) => {
        for (;;) {
          const decision = decide(record, now);
          if (decision.kind === 'want') {
            if (record.wanted === 'awake') {
              expect(now).toBeLessThanOrEqual(most());
              expect(now).toBeGreaterThanOrEqual(least());
              if (now === user + policy.backgroundCap && now > least()) seen.capped++;
              else if (now > least()) seen.postponed++;
            }
            record = { ...record, ...decision.patch };
          } else if (decision.kind === 'act') {
            record = { ...record, ...beginCall(decision.action, 't') };
            record = { ...record, ...endCall(record, { action: decision.action, ...DONE }, now, NO_DOUBT) };
          } else if (decision.kind === 'rest' && decision.until !== null && decision.until < until) now = decision.until;
          else break;
        }
        now = until;
      };

      for (const { at, what } of events) {
        advance(at);
        if (record.wanted === 'awake') expect(now).toBeLessThanOrEqual(most());
        if (record.pod === 'gone') break;
        if (what === 'background') {
          const change = activity(record, 'background', at, at);
          if (record.wanted !== 'awake') {
            expect(change).toBeNull();
            seen.dormant++;
          }
          expect({ ...change?.patch, lastBackground: 0 }).toEqual({ lastBackground: 0 });
          expect(change?.alarms ?? false).toBe(false);
          record = { ...record, ...change?.patch };
        } else if (what === 'user') {
          record = { ...record, ...activity(record, 'user', at, at)?.patch };
          user = at;
        } else if (what === 'hold') {
          held = at + 45 * MINUTE;
          record = { ...record, ...hold(record, held, at, 'until').patch };
        } else {
          // A gap ends now.
          gapEndedAt = at;
          record = { ...record, intake: { ...record.intake, gapEndedAt } };
        }
      }
      advance(most() + 1);
      expect(record.wanted).not.toBe('awake');
    }),
    { numRuns: 1_000 },
  );
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(30);
});
