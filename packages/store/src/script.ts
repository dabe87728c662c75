import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

/** Runs one script by its hash, sending its text only where Redis does not have it (a restart, a failover). */
export type Script = (redis: Redis | Cluster, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>;

/**
 * What ioredis says where a connection broke in the middle of a pipeline's answers. A connection that sends again what got
 * no answer leaves this to its user; every script of ours may run twice.
 */
const ABORTED = 'Command aborted due to connection close';

function sendsAgain(redis: Redis | Cluster): boolean {
  return 'maxRetriesPerRequest' in redis.options && redis.options.maxRetriesPerRequest === null;
}

export function loadScript(name: string): Script {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  const sha = createHash('sha1').update(text).digest('hex');
  const run: Script = async (redis, keys, args) => {
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      if (error.message.startsWith('NOSCRIPT')) return await redis.eval(text, keys.length, ...keys, ...args);
      if (error.message === ABORTED && sendsAgain(redis)) return await run(redis, keys, args);
      throw error;
    }
  };
  return run;
}
