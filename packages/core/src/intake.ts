/** The intake of a shard: how pings were taken, and settings that apply to all its sessions. Times in ms of its Redis clock. */
export interface Intake {
  /** The time of the last heartbeat of any API that could take pings. */
  readonly lastHeartbeat: number;
  /** The end of the last gap. It counts as activity, because users could not send pings before it. */
  readonly gapEndedAt: number;
  /** The lost time: the length of all gaps together. */
  readonly lostTime: number;
  /** When Redis was last found to have come back with older data. */
  readonly rewoundAt: number;
  /** How long before an idle sleep a warning is sent, in ms; 0: none is. The workers write it. */
  readonly warning: number;
  /** How long before an idle delete a warning is sent, in ms; 0: none is. The workers write it. */
  readonly deleteWarning: number;
  /** `DELETE_WARNING` of the workers, in ms: how long a change of the policy leaves a session whose delete it made due. */
  readonly deleteNotice: number;
}

/** The intake of a shard in which nothing was written yet. */
export const NEW_INTAKE: Intake = {
  lastHeartbeat: 0,
  gapEndedAt: 0,
  lostTime: 0,
  rewoundAt: 0,
  warning: 0,
  deleteWarning: 0,
  deleteNotice: 0,
};

/** Returns the intake as it is where no warnings are sent. */
export function withoutWarnings(intake: Intake): Intake {
  return { ...intake, warning: 0, deleteWarning: 0 };
}

/** How often an API sends a heartbeat when no alarm is due, in ms. An idle sleep or delete may have to wait that long for one. */
export const HEARTBEAT_MS = 100;
/** How often an API sends a heartbeat while alarms are due, in ms. */
export const FAST_HEARTBEAT_MS = 5;
/** A time without a heartbeat of any API that is longer than this is a gap, in ms. */
export const GAP_MS = 2_000;
/** A heartbeat that took longer than this to arrive is ignored, in ms. */
export const HEARTBEAT_STALE_MS = 500;

/**
 * Returns the time of the last heartbeat, or 0 (none) where it lies in the future: then Redis' clock was set back, or a
 * failover changed it, and the heartbeat says nothing about the present.
 */
export function knownHeartbeat(lastHeartbeat: number, now: number): number {
  return lastHeartbeat > now ? 0 : lastHeartbeat;
}

/** Returns whether an API could take pings until `at` or later. Only then does the absence of pings mean that the user is idle. */
export function couldPing({ lastHeartbeat }: Intake, at: number): boolean {
  return lastHeartbeat >= at;
}

/** How often a session that waits for a heartbeat is decided on again during a gap, in ms. */
const IN_GAP_MS = 1_000;

/**
 * Returns how long to wait for a heartbeat after a deadline has passed, in ms: as long as the deadline lies back, between
 * {@link FAST_HEARTBEAT_MS} and {@link HEARTBEAT_MS}; in a gap one second.
 */
export function nextHeartbeatIn(deadline: number, now: number, { lastHeartbeat }: Intake): number {
  if (lastHeartbeat > 0 && now - lastHeartbeat > GAP_MS) return IN_GAP_MS;
  return Math.min(HEARTBEAT_MS, Math.max(FAST_HEARTBEAT_MS, now - deadline));
}

/** Returns the intake as it would be if a gap that still lasts ended at `now`, or unchanged where there is no gap. */
export function withGapEnded(intake: Intake, now: number): Intake {
  const silence = now - intake.lastHeartbeat;
  // Without a first heartbeat, no gap can be measured.
  return intake.lastHeartbeat > 0 && silence > GAP_MS ? { ...intake, gapEndedAt: now, lostTime: intake.lostTime + silence } : intake;
}
