import { PolicyBook } from './policy.ts';
import type { SessionRecord } from './session.ts';

const MINUTE = 60_000;

/** An active session of the balanced policy, last heard of at `T0`: what the tests of this package start from. */
export const T0 = 1_800_000_000_000;

export function example(change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    uuid: 'a1b2c3d4',
    userId: 'ada',
    workspaceUrl: '',
    policy: new PolicyBook().resolve('balanced'),
    policyAt: 0,
    policyRank: 0,
    createdAt: T0 - 10 * MINUTE,
    wanted: 'awake',
    pod: 'awake',
    cause: 'created',
    lastActivity: T0,
    lastBackground: 0,
    holdUntil: 0,
    wokenAt: 0,
    sleptAt: 0,
    manualSleepAt: 0,
    deletedAt: 0,
    rev: 7,
    n: 42,
    sleepAnchor: T0,
    deleteAnchor: T0,
    action: '',
    token: '',
    actionUntil: 0,
    verifyAt: 0,
    failures: 0,
    failingSince: 0,
    lastError: '',
    retryAt: 0,
    notBefore: 0,
    missingSince: 0,
    lostBefore: 0,
    rewound: 0,
    warnedOf: 0,
    // An API that is there, whenever one looks.
    ingest: { beat: Number.POSITIVE_INFINITY, floor: 0, lost: 0, rewound: 0, warning: 0 },
    ...change,
  };
}
