import {
  type Action,
  type Cause,
  type Ingest,
  knownBeat,
  type Patch,
  type Pod,
  type Policy,
  type SessionRecord,
  type Wanted,
} from '@sandman/core';

/** The names of a record's fields in Redis. They are short because each letter takes 1 MB per million sessions. */
export const FIELDS = {
  userId: 'u',
  workspaceUrl: 'l',
  policy: 'p',
  sleepAfter: 's',
  deleteAfter: 'd',
  backgroundCap: 'b',
  policyAt: 'pa',
  policyRank: 'pr',
  createdAt: 'c',
  wanted: 'w',
  pod: 'o',
  cause: 'y',
  lastActivity: 'a',
  lastBackground: 'g',
  holdUntil: 'h',
  wokenAt: 'wk',
  sleptAt: 'z',
  manualSleepAt: 'm',
  deletedAt: 'x',
  rev: 'r',
  n: 'n',
  sleepAnchor: 'sa',
  deleteAnchor: 'da',
  action: 'k',
  token: 't',
  actionUntil: 'tu',
  verifyAt: 'v',
  failures: 'f',
  failingSince: 'fs',
  lastError: 'e',
  retryAt: 'ra',
  notBefore: 'nb',
  missingSince: 'ms',
  lostBefore: 'lb',
  rewound: 'rw',
  warnedOf: 'wo',
  changes: 'ch',
} as const;
type Field = keyof typeof FIELDS;

const POLICY_FIELDS = ['policy', 'sleepAfter', 'deleteAfter', 'backgroundCap'] as const;

function encodePolicy(policy: Policy): string[] {
  const values = [policy.name, policy.sleepAfter ?? 'never', policy.deleteAfter ?? 'never', policy.backgroundCap];
  return POLICY_FIELDS.flatMap((field, i) => [FIELDS[field], String(values[i])]);
}

/** Encodes a patch as field, value, …. 0 and '' become '', which removes the field, so that records stay small. */
export function encodePatch(patch: Patch): string[] {
  return Object.entries(patch).flatMap(([field, value]) => {
    if (field === 'policy') return encodePolicy(value as Policy);
    return [FIELDS[field as Field], value === 0 ? '' : String(value)];
  });
}

/** The intake as scripts return it: beat, floor, lost, rewound, warning; null for a field that was never set. */
export type IngestReply = readonly (string | null)[];

function decodeIngest(reply: IngestReply, now: number): Ingest {
  const [beat, floor, lost, rewound, warning] = reply.map(Number);
  return { beat: knownBeat(beat!, now), floor: floor!, lost: lost!, rewound: rewound!, warning: warning! };
}

/** An empty Lua table as cjson writes it: there is no record. */
const NO_RECORD = '{}';

/**
 * Decodes a record; null where there is none.
 *
 * @param json an array: field, value, …
 * @param now the shard's Redis clock when the record was read, in ms
 */
export function decodeRecord(uuid: string, json: string, ingest: IngestReply, now: number): SessionRecord | null {
  if (json === NO_RECORD) return null;
  const fields = JSON.parse(json) as string[];
  const flat: Record<string, string> = {};
  for (let i = 0; i < fields.length; i += 2) flat[fields[i]!] = fields[i + 1]!;
  const text = (field: Field) => flat[FIELDS[field]] ?? '';
  const number = (field: Field) => Number(flat[FIELDS[field]] ?? 0);
  const duration = (field: Field) => (flat[FIELDS[field]] === 'never' ? null : number(field));
  return {
    uuid,
    userId: text('userId'),
    workspaceUrl: text('workspaceUrl'),
    policy: {
      name: text('policy'),
      sleepAfter: duration('sleepAfter'),
      deleteAfter: duration('deleteAfter'),
      backgroundCap: number('backgroundCap'),
    },
    policyAt: number('policyAt'),
    policyRank: number('policyRank'),
    createdAt: number('createdAt'),
    wanted: text('wanted') as Wanted,
    pod: text('pod') as Pod,
    cause: text('cause') as Cause,
    lastActivity: number('lastActivity'),
    lastBackground: number('lastBackground'),
    holdUntil: number('holdUntil'),
    wokenAt: number('wokenAt'),
    sleptAt: number('sleptAt'),
    manualSleepAt: number('manualSleepAt'),
    deletedAt: number('deletedAt'),
    rev: number('rev'),
    n: number('n'),
    sleepAnchor: number('sleepAnchor'),
    deleteAnchor: number('deleteAnchor'),
    action: text('action') as Action | '',
    token: text('token'),
    actionUntil: number('actionUntil'),
    verifyAt: number('verifyAt'),
    failures: number('failures'),
    failingSince: number('failingSince'),
    lastError: text('lastError'),
    retryAt: number('retryAt'),
    notBefore: number('notBefore'),
    missingSince: number('missingSince'),
    lostBefore: number('lostBefore'),
    rewound: number('rewound'),
    warnedOf: number('warnedOf'),
    ingest: decodeIngest(ingest, now),
  };
}
