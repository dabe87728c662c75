/** A session, as it was last written to the ledger. */
export interface SessionsTable {
  uuid: string;
  user_id: string;
  workspace_url: string;
  status: string;
  created_at: Date;
  last_activity: Date;
  slept_at: Date | null;
  /** A policy's name, or the durations of a custom one as JSON. */
  policy: string;
  /** Until when the session is kept; null if it is not. A deleted session has it if its pod was not known any more while it was kept. */
  keep_until: Date | null;
  /** The shard's Redis clock when the record was read. */
  updated_at: Date;
  /** The record's `rev`: tells which of two readings of the same millisecond is newer. */
  rev: number;
}

/** A change of status. */
export interface EventsTable {
  /** Shard and place in its stream, so a change that is written twice is one row. */
  id: string;
  uuid: string;
  at: Date;
  /** Null for the first change of a session. */
  from_status: string | null;
  to_status: string;
  cause: string;
  /** The user's last activity at that time; null if it is not known. */
  last_activity: Date | null;
}

export interface Schema {
  user_sessions: SessionsTable;
  session_events: EventsTable;
}
