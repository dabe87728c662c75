-- Places in time at an even pace, for whoever asks (a token bucket that holds one).
-- KEYS[1] when the next place is free, µs
-- ARGV[1] from one place to the next, µs  [2] for a call that must hold up no other 0|1: it takes a place that went by unused
-- Returns 0 and takes the place, or how long until it is free, µs
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local free = tonumber(redis.call('GET', KEYS[1])) or 0
if ARGV[2] == '1' then
  -- The place before the one that is free now went by unused: taking it leaves this one free for the next call.
  if free + ARGV[1] > now and free - now <= tonumber(ARGV[1]) then return free + ARGV[1] - now end
  redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', math.max(60000, math.ceil(ARGV[1] / 1000)))
  return 0
end
-- A clock that was set back must not close the place for long.
if free > now and free - now <= tonumber(ARGV[1]) then return free - now end
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', math.max(60000, math.ceil(ARGV[1] / 1000)))
return 0
