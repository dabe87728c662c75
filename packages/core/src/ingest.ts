/** What a shard knows for all of its records: of the pings' way in, and how they are handled. Times in ms of its Redis clock. */
export interface Ingest {
  /** The last heartbeat of any API that could take pings. */
  readonly beat: number;
  /** The end of the last gap: until then nobody could say that they were there, so it counts as activity. */
  readonly floor: number;
  /** The length of all gaps together. */
  readonly lost: number;
  /** When Redis was last found to have come back with older data than it had. */
  readonly rewound: number;
  /** How long before an idle sleep somebody is to be warned, in ms; 0: nobody is. Workers say it. */
  readonly warning: number;
}

/** How often an API beats when nothing is due, in ms: so long may what is decided on silence have to wait. */
export const BEAT_MS = 100;
/** How often it beats while alarms are due, in ms. */
export const SOON_MS = 5;
/** A silence of all APIs longer than this is a gap, in ms. */
export const GAP_MS = 2_000;
/** A beat that took longer than this to arrive says nothing, in ms. */
export const BEAT_STALE_MS = 500;

/** A heartbeat from the future (Redis' clock was set back, or a failover changed it) says nothing of now: as if there was none. */
export function knownBeat(beat: number, now: number): number {
  return beat > now ? 0 : beat;
}

/** Whether somebody could have pinged until `at`: only then does it mean anything that nobody did. */
export function couldPing({ beat }: Ingest, at: number): boolean {
  return beat >= at;
}

/** How often a session that waits for a beat is looked at while no API beats, in ms. */
const SILENT_MS = 1_000;

/** How long to wait for a beat after a deadline has passed, in ms: a short while, then as long again as one has waited. */
export function nextBeat(deadline: number, now: number, { beat }: Ingest): number {
  if (beat > 0 && now - beat > GAP_MS) return SILENT_MS;
  return Math.min(BEAT_MS, Math.max(SOON_MS, now - deadline));
}

/** The shard's state as it will be at the earliest once a gap that lasts still is over; as it is where there is none. */
export function foresee(ingest: Ingest, now: number): Ingest {
  const silence = now - ingest.beat;
  // Where no API has ever beaten there is nothing to measure from.
  return ingest.beat > 0 && silence > GAP_MS ? { ...ingest, floor: now, lost: ingest.lost + silence } : ingest;
}
