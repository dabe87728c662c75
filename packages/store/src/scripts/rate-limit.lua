-- Limits a rate: gives out slots at an even distance (a token bucket that holds one).
-- KEYS[1] when the next slot is free, µs
-- ARGV[1] from one slot to the next, µs  [2] take only a slot that passed unused, so that no other call is delayed 0|1
-- Returns 0 and takes the slot, or how long until one is free, µs
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local free = tonumber(redis.call('GET', KEYS[1])) or 0
if ARGV[2] == '1' then
  -- Two slots must be free: one that passed unused, which is taken, and the present one, which stays free for the next call.
  if free + ARGV[1] > now and free - now <= tonumber(ARGV[1]) then return free + ARGV[1] - now end
  redis.call('SET', KEYS[1], string.format('%.0f', now), 'PX', math.max(60000, math.ceil(ARGV[1] / 1000)))
  return 0
end
-- If the slot is more than one distance ahead, the clock was set back: take it, or calls would wait for that long.
if free > now and free - now <= tonumber(ARGV[1]) then return free - now end
redis.call('SET', KEYS[1], string.format('%.0f', now + ARGV[1]), 'PX', math.max(60000, math.ceil(ARGV[1] / 1000)))
return 0
