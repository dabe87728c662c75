/** A session as the ledger last heard of it. */
export interface SessionsTable {
  uuid: string;
  user_id: string;
  workspace_url: string;
  status: string;
  created_at: Date;
  last_activity: Date;
  slept_at: Date | null;
  /** A policy's name, or what `custom` stands for as JSON. */
  policy: string;
  /** The shard's Redis clock when the record was read. */
  updated_at: Date;
  /** The record's, so that of two readings of one millisecond the newer is known. */
  rev: number;
}

/** A change of status. */
export interface EventsTable {
  /** Shard and place in its stream: the same change twice is one row. */
  id: string;
  uuid: string;
  at: Date;
  /** Null where a life began. */
  from_status: string | null;
  to_status: string;
  cause: string;
  /** The user's own, as it was then; null where nobody said. */
  last_activity: Date | null;
}

export interface Schema {
  user_sessions: SessionsTable;
  session_events: EventsTable;
}
