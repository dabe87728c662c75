import { named, readRecorder, type Write } from './recorder.ts';
import { type Deed, type Idle, isAcknowledged, type Users } from './users.ts';
import { type Fault, type Outage, type Stopped, TAG, type World } from './world.ts';

/** One call that the session-manager received. Times in ms since the epoch; 0 means never. */
export interface Call {
  readonly call: 'create' | 'chat' | 'sleep' | 'wake' | 'delete' | 'status';
  readonly uuid: string;
  readonly idempotencyKey: string;
  readonly at: number;
  readonly status: number;
  readonly doneAt: number;
  readonly effectAt: number;
  readonly lostAt: number;
}

/** A change of status, from the event stream. */
export interface Change {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
}

/** All that is known of one session. Each list is in the order of events. */
export interface Life {
  readonly uuid: string;
  readonly idle: Idle;
  readonly deeds: readonly Deed[];
  readonly signals: readonly Signal[];
  readonly changes: readonly Change[];
  readonly calls: readonly Call[];
  readonly writes: readonly Write[];
  /** The write that began the call, by the call's token. */
  readonly begun: ReadonlyMap<string, Write>;
  /** The record in Redis at the end. */
  readonly record: Readonly<Record<string, string>>;
  /** The pod's replicas at the end, or null if there is no pod. */
  readonly replicas: number | null;
}

/** An acknowledged activity or hold, at ms of Redis' clock. */
export interface Signal {
  readonly at: number;
  readonly deed: Deed;
  /** The end of a hold, or 0. */
  readonly holdUntil: number;
}

export interface Evidence {
  readonly lives: readonly Life[];
  readonly faults: readonly Fault[];
  readonly outages: readonly Outage[];
  readonly stopped: readonly Stopped[];
  readonly kills: World['kills'];
  /** When everything had settled, in ms since the epoch. */
  readonly endedAt: number;
}

function grouped<T extends { readonly uuid: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.uuid);
    if (group) group.push(item);
    else groups.set(item.uuid, [item]);
  }
  return groups;
}

function pairs(flat: readonly string[]): Record<string, string> {
  return Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, flat[2 * i + 1]!]));
}

/** Returns the signal that a request acknowledged. Its time is in the returned record: Redis' clock, to the ms. */
function signalOf(deed: Deed): Signal | null {
  if (!isAcknowledged(deed)) return null;
  if (deed.kind === 'create' || deed.kind === 'activity') return { at: Date.parse(deed.view!.lastActivity), deed, holdUntil: 0 };
  if (deed.kind !== 'hold') return null;
  const holdUntil = Date.parse(deed.view!.holdUntil ?? '');
  return { at: holdUntil - deed.span, deed, holdUntil };
}

/** Reads each session's record and pod now. */
export async function present(world: World): Promise<Map<string, Pick<Life, 'record' | 'replicas'>>> {
  const prefix = `${TAG}:session:`;
  const { items } = await world.sim<{ items: { uuid: string; replicas: number }[] }>('GET', '/sim/pods');
  const replicas = new Map(items.map((pod) => [pod.uuid, pod.replicas]));
  const keys = await world.direct.keys(`${prefix}*`);
  const records = await Promise.all(keys.map(async (key) => named(await world.direct.hgetall(key))));
  return new Map(
    keys.map((key, i) => {
      const uuid = key.slice(prefix.length);
      return [uuid, { record: records[i]!, replicas: replicas.get(uuid) ?? null }];
    }),
  );
}

async function outbox(world: World): Promise<Map<string, (Change & { uuid: string })[]>> {
  const entries = await world.direct.xrange(`${TAG}:events`, '-', '+');
  return grouped(
    entries.map(([, fields]) => {
      const { uuid = '', at, from = '', to = '', cause = '' } = pairs(fields);
      return { uuid, at: Number(at), from, to, cause };
    }),
  );
}

/** Gathers what is known of each session that a user was given. */
export async function gather(world: World, users: Users): Promise<Evidence> {
  const changes = await outbox(world);
  const calls = grouped((await world.sim<{ items: Call[] }>('GET', '/sim/journal')).items);
  const now = await present(world);
  const writes = grouped(readRecorder(world.dir));
  const deeds = grouped(users.log);
  const lives = [...users.policies].map(([uuid, idle]): Life => {
    const mine = deeds.get(uuid) ?? [];
    const written = writes.get(uuid) ?? [];
    const begun = new Map(written.filter(({ set }) => set.token).map((write) => [write.set.token!, write]));
    return {
      uuid,
      idle,
      deeds: mine,
      signals: mine.map(signalOf).filter((signal) => signal !== null),
      changes: changes.get(uuid) ?? [],
      // The patrol and probes read statuses too; those change nothing and need no lock.
      calls: (calls.get(uuid) ?? []).filter(
        ({ call, idempotencyKey }) => call !== 'create' && (call !== 'status' || begun.has(idempotencyKey)),
      ),
      writes: written,
      begun,
      ...(now.get(uuid) ?? { record: {}, replicas: null }),
    };
  });
  const { faults, outages, stopped, kills } = world;
  return { lives, faults, outages, stopped, kills, endedAt: Date.now() };
}
