-- Lists members of a set scored by time that have at least this age, oldest first.
-- KEYS[1] the set
-- ARGV[1] age, ms  [2] how many at most
-- Returns uuids
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1], 'LIMIT', 0, ARGV[2])
