import { type AlarmClock, PolicyBook } from '@sandman/core';
import { SessionService } from '@sandman/lifecycle';
import { RedisSessionStore } from '@sandman/store';
import type { Cluster, Redis } from 'ioredis';
import type { Context } from './benchmark.ts';

/** Sessions made at once. */
const AT_ONCE = 500;
const TOLD_EVERY = 100_000;

/** The uuid of a fleet's session: 8 characters, as the session-manager gives them. */
export function uuidOf(index: number): string {
  return index.toString(36).padStart(8, '0');
}

/**
 * Makes sessions under the default policy, as an API does.
 *
 * @param alarms where their alarms are set
 */
export async function fillFleet(
  redis: Redis | Cluster,
  prefix: string,
  alarms: AlarmClock,
  size: number,
  { progress }: Pick<Context, 'progress'>,
): Promise<void> {
  const store = new RedisSessionStore(redis, { prefix, shards: 1, slack: 1 });
  const policy = new PolicyBook().default;
  const service = new SessionService({
    store,
    alarms,
    defaultPolicy: policy,
    unarmed(error) {
      throw error;
    },
  });
  let begun = 0;
  let made = 0;
  const one = async () => {
    while (begun < size) {
      const uuid = uuidOf(begun++);
      await service.track(uuid, { userId: `${uuid}@example.com`, workspaceUrl: `https://${uuid}.pods.example.com`, policy });
      if (++made % TOLD_EVERY === 0) progress(`${prefix}: ${made.toLocaleString('en')} of ${size.toLocaleString('en')} sessions`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
