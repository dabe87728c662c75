-- Forgets a tombstone, if it still is one and of that age.
-- KEYS[1] session  [2] history  [3] tombstones  [4] index of deleted ones  [5] the owner's index of deleted ones
-- ARGV[1] uuid  [2] age, ms
-- Returns 1 when forgotten
local t = redis.call('TIME')
local deletedAt = tonumber(redis.call('HGET', KEYS[1], 'deletedAt'))
if not deletedAt or deletedAt > t[1] * 1000 - ARGV[2] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, 5 do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
