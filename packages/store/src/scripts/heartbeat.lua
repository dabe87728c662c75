-- Writes a heartbeat. Finds a gap that the heartbeat ends, and a Redis that came back with older data.
-- KEYS[1] intake  [2] the session that the process last wrote
-- ARGV[1] its rev after that write ('0': nothing written)  [2] its n after that write
-- ARGV[3] when an API sent this, ms ('0': the process takes no pings)  [4] how old that may be, ms  [5] the shortest gap, ms
-- Returns {now ms, length of the gap in ms (0: none), rewound 0|1}
local gap = 0
local witness = redis.call('HMGET', KEYS[2], FIELDS.rev, FIELDS.n)
local rev, n = tonumber(witness[1]) or 0, tonumber(witness[2]) or 0
-- Later writes only raise rev and n. If one is lower, or n differs at the same rev, the process's write is missing.
local rewound = rev < tonumber(ARGV[1]) or n < tonumber(ARGV[2]) or (ARGV[1] ~= '0' and rev == tonumber(ARGV[1]) and n ~= tonumber(ARGV[2]))
local beat = tonumber(redis.call('HGET', KEYS[1], INTAKE.lastHeartbeat))
if beat and beat > NOW then
  -- The clock was set back since the last heartbeat, and Redis may have been away meanwhile: how long no ping could be taken
  -- is unknown. So no idle deadline is acted on until an API's next heartbeat, which ends a gap.
  beat = nil
  redis.call('HDEL', KEYS[1], INTAKE.lastHeartbeat)
  redis.call('HSET', KEYS[1], 'unheard', NOW, INTAKE.gapEndedAt, NOW)
end
-- An old heartbeat does not count: it waited in the socket of a frozen Redis, and its sender may have died since.
if NOW - ARGV[3] <= tonumber(ARGV[4]) then
  if beat and NOW - beat > tonumber(ARGV[5]) then gap = NOW - beat end
  local unheard = tonumber(redis.call('HGET', KEYS[1], 'unheard'))
  if unheard then
    gap = math.max(NOW - unheard, ARGV[5] + 1)
    redis.call('HDEL', KEYS[1], 'unheard')
  end
  -- The time of sending counts, not the time of arrival: the sender may have died in between.
  redis.call('HSET', KEYS[1], INTAKE.lastHeartbeat, math.max(beat or 0, math.min(NOW, ARGV[3])))
end
if gap > 0 or rewound then redis.call('HSET', KEYS[1], INTAKE.gapEndedAt, NOW) end
if gap > 0 then redis.call('HINCRBY', KEYS[1], INTAKE.lostTime, gap) end
if rewound then redis.call('HSET', KEYS[1], INTAKE.rewoundAt, NOW) end
return { NOW, gap, rewound and 1 or 0 }
