import { readAofWrites, type ScriptWrite, withFullNames } from './aof-writes.ts';
import type { Leavers, Leaving } from './leavers.ts';
import { type FaultPeriod, type PingOutage, type ProxiedStack, TAG, type WorkerStop } from './proxied-stack.ts';
import { type IdleTimes, isAcknowledged, type UserRequest, type Users } from './users.ts';

/** One call that the session-manager received. Times in ms since the epoch; 0 means never. */
export interface LoggedCall {
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
export interface StatusChange {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
}

/** All that is known of one session. Each list is in the order of events. */
export interface SessionEvidence {
  readonly uuid: string;
  readonly idle: IdleTimes;
  readonly requests: readonly UserRequest[];
  readonly signals: readonly AcknowledgedSignal[];
  readonly changes: readonly StatusChange[];
  readonly calls: readonly LoggedCall[];
  readonly writes: readonly ScriptWrite[];
  /** The write that began the call, by the call's token. */
  readonly begun: ReadonlyMap<string, ScriptWrite>;
  /** The record in Redis at the end. */
  readonly record: Readonly<Record<string, string>>;
  /** The pod's replicas at the end, or null if there is no pod. */
  readonly replicas: number | null;
}

/** An acknowledged activity or hold, at ms of Redis' clock. */
export interface AcknowledgedSignal {
  readonly at: number;
  readonly request: UserRequest;
  /** The end of a hold, or 0. */
  readonly holdUntil: number;
}

export interface Evidence {
  readonly sessions: readonly SessionEvidence[];
  /** The sessions that were deleted with a grace, or kept; they are not among `sessions`. */
  readonly leavings: readonly (Leaving & { readonly session: SessionEvidence })[];
  readonly faults: readonly FaultPeriod[];
  readonly outages: readonly PingOutage[];
  readonly stopped: readonly WorkerStop[];
  readonly kills: ProxiedStack['kills'];
  /** When everything had settled, in ms since the epoch. */
  readonly endedAt: number;
}

/** The checks of graces and keeps do not depend on the policy. */
const NEVER: IdleTimes = { sleepAfter: null, deleteAfter: Number.POSITIVE_INFINITY };

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
function signalOf(request: UserRequest): AcknowledgedSignal | null {
  if (!isAcknowledged(request)) return null;
  if (request.kind === 'create' || request.kind === 'activity')
    return { at: Date.parse(request.view!.lastActivity), request: request, holdUntil: 0 };
  if (request.kind !== 'hold') return null;
  const holdUntil = Date.parse(request.view!.holdUntil ?? '');
  return { at: holdUntil - request.span, request: request, holdUntil };
}

/** Reads each session's record and pod now. */
export async function currentState(world: ProxiedStack): Promise<Map<string, Pick<SessionEvidence, 'record' | 'replicas'>>> {
  const prefix = `${TAG}:session:`;
  const { items } = await world.sim<{ items: { uuid: string; replicas: number }[] }>('GET', '/sim/pods');
  const replicas = new Map(items.map((pod) => [pod.uuid, pod.replicas]));
  const keys = await world.redisDirect.keys(`${prefix}*`);
  const records = await Promise.all(keys.map(async (key) => withFullNames(await world.redisDirect.hgetall(key))));
  return new Map(
    keys.map((key, i) => {
      const uuid = key.slice(prefix.length);
      return [uuid, { record: records[i]!, replicas: replicas.get(uuid) ?? null }];
    }),
  );
}

async function readStatusChanges(world: ProxiedStack): Promise<Map<string, (StatusChange & { uuid: string })[]>> {
  const entries = await world.redisDirect.xrange(`${TAG}:events`, '-', '+');
  return grouped(
    entries.map(([, fields]) => {
      const { uuid = '', at, from = '', to = '', cause = '' } = pairs(fields);
      return { uuid, at: Number(at), from, to, cause };
    }),
  );
}

/** Gathers what is known of each session that a user was given. */
export async function gatherEvidence(world: ProxiedStack, users: Users, leavers: Leavers): Promise<Evidence> {
  const changes = await readStatusChanges(world);
  const calls = grouped((await world.sim<{ items: LoggedCall[] }>('GET', '/sim/journal')).items);
  const now = await currentState(world);
  const writes = grouped(readAofWrites(world.dir));
  const requests = grouped(users.log);
  const evidenceOf = (uuid: string, idle: IdleTimes): SessionEvidence => {
    const mine = requests.get(uuid) ?? [];
    const written = writes.get(uuid) ?? [];
    const begun = new Map(written.filter(({ set }) => set.token).map((write) => [write.set.token!, write]));
    return {
      uuid,
      idle,
      requests: mine,
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
  };
  const sessions = [...users.policies].map(([uuid, idle]) => evidenceOf(uuid, idle));
  const leavings = leavers.log.map((leaving) => ({ ...leaving, session: evidenceOf(leaving.uuid, NEVER) }));
  const { faults, outages, stopped, kills } = world;
  return { sessions, leavings, faults, outages, stopped, kills, endedAt: Date.now() };
}
