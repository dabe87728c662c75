import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FIELDS } from '@sandman/store';
import { CLOCK_KEY, TAG } from './proxied-stack.ts';

const NAMES = new Map<string, string>(Object.entries(FIELDS).map(([name, short]) => [short, name]));

/** Returns the name of a field that is abbreviated in Redis. */
function nameOf(short: string): string {
  return NAMES.get(short) ?? short;
}

/** Returns a record from Redis with the full names of its fields. */
export function withFullNames(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([short, value]) => [nameOf(short), value]));
}

/** The fields that one script wrote into one session's record. */
export interface ScriptWrite {
  readonly uuid: string;
  readonly set: Readonly<Record<string, string>>;
  readonly removed: readonly string[];
  /** The write happened between these two readings of Redis' clock, in ms. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Yields the commands in a file of Redis' protocol, without one that a kill left incomplete at its end. */
function* commands(file: Buffer): Generator<string[]> {
  let at = 0;
  const line = () => {
    const end = file.indexOf('\r\n', at);
    const text = end < 0 ? '' : file.toString('latin1', at, end);
    at = end < 0 ? file.length : end + 2;
    return text;
  };
  while (at < file.length) {
    const head = line();
    if (!head.startsWith('*')) continue;
    const parts: string[] = [];
    for (let left = Number(head.slice(1)); left > 0 && at < file.length; left--) {
      const length = Number(line().slice(1));
      parts.push(file.toString('utf8', at, at + length));
      at += length + 2;
    }
    if (at <= file.length) yield parts;
  }
}

function aofFiles(dir: string): string[] {
  const plain = join(dir, 'appendonly.aof');
  if (existsSync(plain)) return [plain];
  const parts = join(dir, 'appendonlydir');
  const number = (name: string) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1]);
  const names = readdirSync(parts).filter((name) => name.endsWith('.incr.aof'));
  return names.sort((a, b) => number(a) - number(b)).map((name) => join(parts, name));
}

/**
 * Reads the record's writes from Redis' own AOF. It holds every write in order, even after kill -9, and does not depend on the code
 * under test. It shows when a call was begun, under which token, and when its lease was renewed.
 */
export function readAofWrites(dir: string): ScriptWrite[] {
  const prefix = `${TAG}:session:`;
  const writes: (Omit<ScriptWrite, 'notAfter'> & { notAfter: number })[] = [];
  let clock = 0;
  let untimed = 0;
  let step: Map<string, { set: Record<string, string>; removed: string[] }> | null = null;
  const close = (of: NonNullable<typeof step>) => {
    for (const [uuid, { set, removed }] of of) writes.push({ uuid, set, removed, notBefore: clock, notAfter: Number.POSITIVE_INFINITY });
  };
  for (const file of aofFiles(dir)) {
    for (const [name = '', key = '', ...rest] of commands(readFileSync(file))) {
      const command = name.toUpperCase();
      if (command === 'MULTI') step = new Map();
      else if (command === 'EXEC') {
        if (step) close(step);
        step = null;
      } else if (command === 'SET' && key === CLOCK_KEY) {
        clock = Number(rest[0]);
        for (; untimed < writes.length; untimed++) writes[untimed]!.notAfter = clock;
      } else if (key.startsWith(prefix) && (command === 'HSET' || command === 'HDEL')) {
        const uuid = key.slice(prefix.length);
        const alone = new Map<string, { set: Record<string, string>; removed: string[] }>();
        const into = step ?? alone;
        const write = into.get(uuid) ?? { set: {}, removed: [] };
        into.set(uuid, write);
        if (command === 'HDEL') write.removed.push(...rest.map(nameOf));
        else for (let i = 0; i < rest.length; i += 2) write.set[nameOf(rest[i]!)] = rest[i + 1]!;
        close(alone);
      }
    }
  }
  return writes;
}
