-- Announces that a worker makes calls, or is a dry run. The first worker that makes calls ends the dry run, which counts as activity.
-- KEYS[1] intake
-- ARGV[1] it is a dry run 0|1  [2] how long a worker counts as making calls after it announced so, ms
-- Returns 1 to a dry run while other workers make calls, else 0
local said = tonumber(redis.call('HGET', KEYS[1], 'working'))
local working = said and said <= NOW and NOW - said < tonumber(ARGV[2])
if ARGV[1] == '0' then
  redis.call('HSET', KEYS[1], 'working', NOW)
  -- If other workers made calls all the time, a dry run beside them delayed nothing for long (release 0.1.0 allowed that).
  if redis.call('HDEL', KEYS[1], 'rehearsed') == 1 and not working then redis.call('HSET', KEYS[1], INTAKE.gapEndedAt, NOW) end
  return 0
end
if working then return 1 end
redis.call('HSET', KEYS[1], 'rehearsed', 1)
return 0
