-- A record and the clock.
-- KEYS[1] session
-- Returns {now ms, record as field, value, …}
local t = redis.call('TIME')
return { t[1] * 1000 + math.floor(t[2] / 1000), redis.call('HGETALL', KEYS[1]) }
