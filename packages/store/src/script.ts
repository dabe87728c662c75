import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';
import { withValues } from './script-names.ts';

type Argument = string | number;

/** Runs a script on keys of one hash tag. Rejects with Redis' error, of the whole batch or of these keys alone. */
export type Script = (redis: Redis | Cluster, keys: readonly string[], args: readonly Argument[]) => Promise<unknown>;

interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The result of a call, or the text of its error. */
type ScriptAnswer = readonly [unknown] | string;

/** Calls in one batch at most; a batch of 50 blocks Redis for about 1 ms. */
const BATCH_MAX = 50;

function source(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** Returns the text of a script as it is sent to Redis. {@link batchArguments} makes its arguments. */
export function scriptText(name: string): string {
  const text = withValues(source(name));
  const clock = /\bNOW\b/.test(text) ? source('clock') : '';
  return `${clock}local function one(KEYS, ARGV)\n${text}\nend\n${source('batch')}`;
}

/** Makes the arguments of `EVAL` for a batch of calls. */
export function batchArguments(calls: readonly Pick<ScriptCall, 'keys' | 'args'>[]): [keys: number, ...Argument[]] {
  const keys = calls.flatMap((call) => call.keys);
  return [keys.length, ...keys, calls.length, ...calls.flatMap((call) => [call.keys.length, call.args.length, ...call.args])];
}

/** Returns the hash tag of the first key; keys with the same tag are on one node. */
function tagOf([key]: readonly string[]): string {
  return key!.slice(0, key!.indexOf('}'));
}

/** Loads a script. The calls of one turn of the event loop are sent in batches, and each call gets its own result. */
export function loadScript(name: string): Script {
  const text = scriptText(name);
  const sha = createHash('sha1').update(text).digest('hex');
  const waiting = new Map<Redis | Cluster, Map<string, ScriptCall[]>>();

  const send = async (redis: Redis | Cluster, calls: readonly ScriptCall[]): Promise<void> => {
    try {
      const asked = batchArguments(calls);
      const answers = (await redis.evalsha(sha, ...asked).catch((error) => {
        // Redis lost the script in a restart or failover.
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return redis.eval(text, ...asked);
      })) as ScriptAnswer[];
      for (const [i, { resolve, reject }] of calls.entries()) {
        const answer = answers[i]!;
        if (typeof answer === 'string') reject(new Error(answer));
        else resolve(answer[0]);
      }
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  };

  const flush = (redis: Redis | Cluster): void => {
    const byTag = waiting.get(redis)!;
    waiting.delete(redis);
    for (const calls of byTag.values()) {
      for (let from = 0; from < calls.length; from += BATCH_MAX) void send(redis, calls.slice(from, from + BATCH_MAX));
    }
  };

  return (redis, keys, args) =>
    new Promise((resolve, reject) => {
      let byTag = waiting.get(redis);
      if (!byTag) {
        byTag = new Map();
        waiting.set(redis, byTag);
        setImmediate(flush, redis);
      }
      const tag = tagOf(keys);
      const calls = byTag.get(tag);
      const call = { keys, args, resolve, reject };
      if (calls) calls.push(call);
      else byTag.set(tag, [call]);
    });
}
