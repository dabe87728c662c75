import {
  type Filter,
  InvalidInput,
  LIVE_STATUSES,
  type LiveReading,
  type OwnedSession,
  type Page,
  type Reading,
  type Status,
  statusOf,
} from '@sandman/core';
import type { Cluster, Redis } from 'ioredis';
import { indexMember, type Keyspace, type ShardKeys, userOfMember, uuidOfMember } from './keys.ts';
import { loadScript } from './script.ts';

const page = loadScript('page');
const ofUsers = loadScript('of-users');

/** Every status of a session that is not wanted gone. */
export const KEPT_STATUSES = LIVE_STATUSES.filter((status) => status !== 'deleting');

/** How many index members of one user and status {@link sessionsOf} reads at first, and in each page of users who have more. */
const FIRST_READ = 10;
const PAGE = 500;

function matches({ record }: Reading, { userId, status }: Filter): boolean {
  if (!record || (userId !== undefined && record.userId !== userId)) return false;
  const shown = statusOf(record);
  return status ? shown === status : shown !== 'deleted';
}

/** The range of a user's index members: the byte 0 follows the name. The range also holds names that go on after a byte 0. */
function memberRange(userId: string | undefined): readonly [string, string] {
  return userId === undefined ? ['-', '+'] : [`[${indexMember(userId, '')}`, `(${userId}\x01`];
}

/** Reads up to `limit` index members of one shard in these statuses, in order, after `last` ('': from the first). */
export async function indexPage(
  redis: Redis | Cluster,
  keys: ShardKeys,
  { userId, statuses }: { readonly userId?: string | undefined; readonly statuses: readonly Status[] },
  last: string,
  limit: number,
): Promise<string[]> {
  const indexes = statuses.map((one) => keys.status(one));
  const [first, end] = memberRange(userId);
  const found = (await page(redis, indexes, [last ? `(${last}` : first, end, limit])) as string[][];
  if (found.length === 1) return found[0]!;
  // Redis sorts by bytes; strings of JavaScript, and of Lua, compare in another order.
  const members = found.flat().map((member) => ({ member, bytes: Buffer.from(member) }));
  members.sort((a, b) => a.bytes.compare(b.bytes));
  return members.slice(0, limit).map(({ member }) => member);
}

/** Finds the sessions of these users in one shard that are not wanted gone; each page is read by one script. */
export async function* sessionsOf(
  redis: Redis | Cluster,
  keys: ShardKeys,
  userIds: readonly string[],
): AsyncGenerator<readonly OwnedSession[]> {
  const session = (member: string): OwnedSession => ({ userId: userOfMember(member), uuid: uuidOfMember(member) });
  const indexes = KEPT_STATUSES.map((status) => keys.status(status));
  const [members, more] = (await ofUsers(redis, indexes, [JSON.stringify(userIds), FIRST_READ])) as [string[], number[]];
  yield members.map(session);
  for (const i of more) {
    const userId = userIds[i]!;
    for (let last: string | undefined = ''; last !== undefined; ) {
      const found: string[] = await indexPage(redis, keys, { userId, statuses: KEPT_STATUSES }, last, PAGE);
      yield found.map(session).filter((one) => one.userId === userId);
      last = found.length === PAGE ? found.at(-1) : undefined;
    }
  }
}

/** Where the next page of a list begins: a shard, and the last index member read from it. */
interface ListPosition {
  readonly shard: number;
  readonly after: string;
}

function decodeCursor(cursor: string | null, shards: number): ListPosition {
  if (cursor === null) return { shard: 0, after: '' };
  const match = /^(\d{1,4}):(|.+\0[A-Za-z0-9_-]{1,64})$/s.exec(Buffer.from(cursor, 'base64url').toString());
  if (!match || Number(match[1]) >= shards) throw new InvalidInput('cursor', 'must be the nextCursor of an earlier answer');
  return { shard: Number(match[1]), after: match[2]! };
}

function encodeCursor({ shard, after }: ListPosition): string {
  return Buffer.from(`${shard}:${after}`).toString('base64url');
}

/** Lists up to `limit` sessions in the order of shard, user and uuid, from `cursor` on. */
export async function listPage(
  redis: Redis | Cluster,
  keyspace: Keyspace,
  read: (uuid: string) => Promise<Reading>,
  filter: Filter,
  limit: number,
  cursor: string | null,
): Promise<Page> {
  const items: LiveReading[] = [];
  const { userId, status } = filter;
  const statuses = status ? [status] : LIVE_STATUSES;
  let position = decodeCursor(cursor, keyspace.shards.length);
  for (;;) {
    const wanted = limit - items.length;
    const keys = keyspace.shards[position.shard]!;
    const members = await indexPage(redis, keys, { userId, statuses }, position.after, wanted);
    const readings = await Promise.all(members.map((member) => read(uuidOfMember(member))));
    items.push(...readings.filter((reading): reading is LiveReading => matches(reading, filter)));
    if (members.length === wanted) position = { ...position, after: members.at(-1)! };
    else if (position.shard + 1 < keyspace.shards.length) position = { shard: position.shard + 1, after: '' };
    else return { items, cursor: null };
    if (items.length === limit) return { items, cursor: encodeCursor(position) };
  }
}
