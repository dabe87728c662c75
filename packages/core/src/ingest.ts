/** The intake of a shard: how pings were taken, and settings that apply to all its sessions. Times in ms of its Redis clock. */
export interface Ingest {
  /** The time of the last heartbeat of any API that could take pings. */
  readonly beat: number;
  /** The end of the last gap. It counts as activity, because users could not send pings before it. */
  readonly floor: number;
  /** The lost time: the length of all gaps together. */
  readonly lost: number;
  /** When Redis was last found to have come back with older data. */
  readonly rewound: number;
  /** How long before an idle sleep a warning is sent, in ms; 0: none is. The workers write it. */
  readonly warning: number;
}

/** How often an API sends a heartbeat when no alarm is due, in ms. An idle sleep or delete may have to wait that long for one. */
export const BEAT_MS = 100;
/** How often an API sends a heartbeat while alarms are due, in ms. */
export const SOON_MS = 5;
/** A time without a heartbeat of any API that is longer than this is a gap, in ms. */
export const GAP_MS = 2_000;
/** A heartbeat that took longer than this to arrive is ignored, in ms. */
export const BEAT_STALE_MS = 500;

/**
 * Returns the time of the last heartbeat, or 0 (none) where it lies in the future: then Redis' clock was set back, or a
 * failover changed it, and the heartbeat says nothing about the present.
 */
export function knownBeat(beat: number, now: number): number {
  return beat > now ? 0 : beat;
}

/** Returns whether an API could take pings until `at` or later. Only then does the absence of pings mean that the user is idle. */
export function couldPing({ beat }: Ingest, at: number): boolean {
  return beat >= at;
}

/** How often a session that waits for a heartbeat is decided on again during a gap, in ms. */
const SILENT_MS = 1_000;

/**
 * Returns how long to wait for a heartbeat after a deadline has passed, in ms: as long as the deadline lies back, between
 * {@link SOON_MS} and {@link BEAT_MS}; in a gap one second.
 */
export function nextBeat(deadline: number, now: number, { beat }: Ingest): number {
  if (beat > 0 && now - beat > GAP_MS) return SILENT_MS;
  return Math.min(BEAT_MS, Math.max(SOON_MS, now - deadline));
}

/** Returns the intake as it would be if a gap that still lasts ended at `now`, or unchanged where there is no gap. */
export function foresee(ingest: Ingest, now: number): Ingest {
  const silence = now - ingest.beat;
  // Without a first heartbeat, no gap can be measured.
  return ingest.beat > 0 && silence > GAP_MS ? { ...ingest, floor: now, lost: ingest.lost + silence } : ingest;
}
