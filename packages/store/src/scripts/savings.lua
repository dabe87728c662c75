-- The books of pod time, and the clock to read them by.
-- KEYS[1] savings
-- Returns {now ms, what and whose, value, …}
local t = redis.call('TIME')
return { t[1] * 1000 + math.floor(t[2] / 1000), redis.call('HGETALL', KEYS[1]) }
