import { type Cause, type Commit, type SessionRecord, type Status, statusOf, usageEntries } from '@sandman/core';
import { encodeChange } from './history-codec.ts';
import { indexMember, type ShardKeys } from './keys.ts';
import { encodePatch } from './record.ts';
import { type EncodedUsage, encodeUsage } from './usage-codec.ts';

/** A commit as `commit.lua` reads it. JSON omits what is undefined, and then Lua has nil. Times in ms. */
interface CommitMessage {
  /** `rev` and `token` of the record that the decision was made on; '0' and '' if there was none. Without a call the token is ''. */
  readonly rev: string;
  readonly token: string;
  readonly uuid: string;
  readonly userId: string;
  /** The fields to set as field, value, …, and the fields to remove. */
  readonly set: readonly string[];
  readonly remove: readonly string[];
  /** Whether the script draws a new alarm number and marks the session as unarmed. */
  readonly alarms: boolean;
  /** The length of the lease of the call that begins; 0: no call begins. */
  readonly lease: number;
  /** Since when the session's calls fail; 0: they no longer do; undefined: unchanged. */
  readonly failingSince: number | undefined;
  readonly usage: readonly EncodedUsage[];
  /** The old status; '' where there was no record. */
  readonly from: Status | '';
  readonly to: Status;
  readonly cause: Cause;
  /** The change of status as the history encodes it, without its time, which the script adds. */
  readonly change: string;
  /** The session's members of the indexes of the old and of the new status. */
  readonly oldMember: string;
  readonly newMember: string;
}

/** Makes the message of a commit. @param base the record that the decision was made on; null: there was none */
export function commitMessage(uuid: string, base: SessionRecord | null, { patch, alarms, lease = 0 }: Commit): CommitMessage {
  const next = { ...base, ...patch } as SessionRecord;
  const from = base ? statusOf(base) : '';
  const to = statusOf(next);
  const { cause } = next;
  // Lua cannot read half a surrogate pair in JSON.
  const userId = next.userId.toWellFormed();
  // New alarms reflect the last activity, of the user or in the background.
  const anchor = Math.max(next.lastActivity, next.lastBackground);
  return {
    rev: String(base?.rev ?? 0),
    token: base?.token ?? '',
    uuid,
    userId,
    ...encodePatch(alarms ? { ...patch, sleepAnchor: anchor, deleteAnchor: anchor } : patch),
    alarms,
    lease,
    failingSince: patch.failingSince,
    usage: usageEntries(base, next).map(encodeUsage),
    from,
    to,
    cause,
    change: encodeChange({ from, to, cause }),
    oldMember: indexMember(base?.userId ?? userId, uuid),
    newMember: indexMember(userId, uuid),
  };
}

/** Returns the keys of a commit, in the order in which `commit.lua` names them. */
export function commitKeys(keys: ShardKeys, { uuid, from, to }: CommitMessage): string[] {
  return [
    keys.session(uuid),
    keys.unarmed,
    keys.events,
    keys.tombstones,
    keys.status(from || to),
    keys.status(to),
    keys.intake,
    keys.usage,
    keys.failing,
  ];
}
