import { NEW_INTAKE } from './intake.ts';
import { PolicySet } from './policy.ts';
import type { SessionRecord } from './session.ts';

const MINUTE = 60_000;

/** The last activity of the example session, in ms. */
export const T0 = 1_800_000_000_000;

/** Returns an active session of the balanced policy, last active at `T0`, from which this package's tests start. */
export function example(change: Partial<SessionRecord> = {}): SessionRecord {
  return {
    uuid: 'a1b2c3d4',
    userId: 'ada',
    workspaceUrl: '',
    policy: new PolicySet().resolve('balanced'),
    policyAt: 0,
    policyRank: 0,
    createdAt: T0 - 10 * MINUTE,
    wanted: 'awake',
    pod: 'awake',
    cause: 'created',
    lastActivity: T0,
    lastBackground: 0,
    holdUntil: 0,
    keepUntil: 0,
    graceUntil: 0,
    noticeUntil: 0,
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
    deleteWarnedOf: 0,
    // The last heartbeat is always recent.
    intake: { ...NEW_INTAKE, lastHeartbeat: Number.POSITIVE_INFINITY },
    ...change,
  };
}
