/** Returns the shard of a session, 0 to `shards` - 1: FNV-1a of its uuid. Must not change once data exists. */
export function shardOf(uuid: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < uuid.length; i++) hash = Math.imul(hash ^ uuid.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}

/** Returns the hash tag that all keys of a shard share, those of BullMQ included. */
export function shardTag(prefix: string, shard: number): string {
  return `{${prefix}:${shard}}`;
}
