-- Removes a record if it is a tombstone of at least this age.
-- KEYS[1] session  [2] tombstones  [3] index of deleted sessions
-- ARGV[1] uuid  [2] age, ms  [3] member of the index
-- Returns 1 when removed, else 0
local deletedAt = tonumber(redis.call('HGET', KEYS[1], FIELDS.deletedAt))
if not deletedAt or deletedAt > NOW - ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[3])
return 1
