-- A worker says that it works, or that it only rehearses. The first that works ends the rehearsal, which counts as activity.
-- KEYS[1] ingest
-- ARGV[1] it rehearses 0|1  [2] for how long one that said that it works counts as working, ms
-- Returns 1 to one that rehearses while others work, else 0
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local said = tonumber(redis.call('HGET', KEYS[1], 'working'))
local working = said and said <= now and now - said < tonumber(ARGV[2])
if ARGV[1] == '0' then
  redis.call('HSET', KEYS[1], 'working', now)
  -- Beside others that work, a rehearsal (of 0.1.0, which does not yield) has held up nothing for long.
  if redis.call('HDEL', KEYS[1], 'rehearsed') == 1 and not working then redis.call('HSET', KEYS[1], 'floor', now) end
  return 0
end
if working then return 1 end
redis.call('HSET', KEYS[1], 'rehearsed', 1)
return 0
