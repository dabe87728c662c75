-- Places in time at an even pace, for whoever asks (a token bucket that holds one).
-- KEYS[1] when the next place is free, µs
-- ARGV[1] from one place to the next, µs
-- Returns 0 and takes the place, or how long until it is free, µs
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local free = tonumber(redis.call('GET', KEYS[1])) or 0
-- A clock that was set back must not close the place for long.
if free > now and free - now <= tonumber(ARGV[1]) then return free - now end
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', 60000)
return 0
