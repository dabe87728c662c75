import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

type Argument = string | number;

/** Runs a script on keys of one hash tag. Rejects with Redis' own error, or with what is wrong with these keys alone. */
export type Script = (redis: Redis | Cluster, keys: readonly string[], args: readonly Argument[]) => Promise<unknown>;

interface Call {
  readonly keys: readonly string[];
  readonly args: readonly Argument[];
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** What became of a call: what it returned, or why it could not. */
type Answer = readonly [unknown] | string;

/** Calls that travel together at most: Redis serves nobody else for about a millisecond. */
const MOST = 50;

function source(name: string): string {
  return readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
}

/** The text that Redis is given of a script, and what it is asked for: {@link gather}. */
export function scriptText(name: string): string {
  return `local function one(KEYS, ARGV)\n${source(name)}\nend\n${source('together')}`;
}

/** What the script's text takes to answer these calls, as `EVAL` wants it. */
export function gather(calls: readonly Pick<Call, 'keys' | 'args'>[]): [keys: number, ...Argument[]] {
  const keys = calls.flatMap((call) => call.keys);
  return [keys.length, ...keys, calls.length, ...calls.flatMap((call) => [call.keys.length, call.args.length, ...call.args])];
}

/** What keys of one node have in common. */
function tagOf([key]: readonly string[]): string {
  return key!.slice(0, key!.indexOf('}'));
}

/** The calls of one turn of the event loop travel together, and each is answered alone. */
export function loadScript(name: string): Script {
  const text = scriptText(name);
  const sha = createHash('sha1').update(text).digest('hex');
  const waiting = new Map<Redis | Cluster, Map<string, Call[]>>();

  const send = async (redis: Redis | Cluster, calls: readonly Call[]): Promise<void> => {
    try {
      const asked = gather(calls);
      const answers = (await redis.evalsha(sha, ...asked).catch((error) => {
        // Redis has forgotten it: a restart, a failover.
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return redis.eval(text, ...asked);
      })) as Answer[];
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
      for (let from = 0; from < calls.length; from += MOST) void send(redis, calls.slice(from, from + MOST));
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
