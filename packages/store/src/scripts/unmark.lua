-- Removes a session's mark after the alarms numbered n were armed, unless newer alarms were drawn meanwhile.
-- KEYS[1] session  [2] unarmed
-- ARGV[1] uuid  [2] n
-- Returns 1 when n is still the number, 0 when it is not or there is no session
local n = redis.call('HGET', KEYS[1], FIELDS.n)
if n and n ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return n and 1 or 0
