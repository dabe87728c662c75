-- Reads a hash and Redis' clock.
-- KEYS[1] the hash
-- Returns {now ms, {field, value, …}}
local t = redis.call('TIME')
return { t[1] * 1000 + math.floor(t[2] / 1000), redis.call('HGETALL', KEYS[1]) }
