import {
  type Action,
  type Cause,
  type Intake,
  knownHeartbeat,
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
  keepUntil: 'kp',
  graceUntil: 'gu',
  noticeUntil: 'nu',
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
  deleteWarnedOf: 'dw',
  changes: 'ch',
} as const;
type Field = keyof typeof FIELDS;

/** The names of an intake's fields in Redis. The hash has others, which only one script each uses. */
export const INTAKE_FIELDS = {
  lastHeartbeat: 'beat',
  gapEndedAt: 'floor',
  lostTime: 'lost',
  rewoundAt: 'rewound',
  warning: 'warning',
  deleteWarning: 'deleteWarning',
  deleteNotice: 'deleteNotice',
} as const satisfies Record<keyof Intake, string>;

const POLICY_FIELDS = ['policy', 'sleepAfter', 'deleteAfter', 'backgroundCap'] as const;

function encodePolicy(policy: Policy): string[] {
  const values = [policy.name, policy.sleepAfter ?? 'never', policy.deleteAfter ?? 'never', policy.backgroundCap];
  return POLICY_FIELDS.flatMap((field, i) => [FIELDS[field], String(values[i])]);
}

/**
 * Encodes a patch: the fields to set as field, value, …, and the fields to remove. Those are the ones that become 0 or '', so
 * that records stay small.
 */
export function encodePatch(patch: Patch): { readonly set: string[]; readonly remove: string[] } {
  const set: string[] = [];
  const remove: string[] = [];
  for (const [field, value] of Object.entries(patch)) {
    if (field === 'policy') set.push(...encodePolicy(value as Policy));
    else if (value === 0 || value === '') remove.push(FIELDS[field as Field]);
    // Lua cannot read half a surrogate pair in JSON.
    else set.push(FIELDS[field as Field], String(value).toWellFormed());
  }
  return { set, remove };
}

/** The intake as scripts return it, in the order of {@link INTAKE_FIELDS}; null for a field that was never set. */
export type IntakeReply = readonly (string | null)[];

/** Decodes an intake. @param now the shard's Redis clock when it was read, in ms */
export function decodeIntake(reply: IntakeReply, now: number): Intake {
  const at = (i: number) => Number(reply[i]);
  return {
    lastHeartbeat: knownHeartbeat(at(0), now),
    gapEndedAt: at(1),
    lostTime: at(2),
    rewoundAt: at(3),
    warning: at(4),
    deleteWarning: at(5),
    deleteNotice: at(6),
  };
}

/** An empty Lua table as cjson writes it: there is no record. */
const NO_RECORD = '{}';

/**
 * Decodes a record; null where there is none.
 *
 * @param json an array: field, value, …
 * @param now the shard's Redis clock when the record was read, in ms
 */
export function decodeRecord(uuid: string, json: string, intake: IntakeReply, now: number): SessionRecord | null {
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
    keepUntil: number('keepUntil'),
    graceUntil: number('graceUntil'),
    noticeUntil: number('noticeUntil'),
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
    deleteWarnedOf: number('deleteWarnedOf'),
    intake: decodeIntake(intake, now),
  };
}
