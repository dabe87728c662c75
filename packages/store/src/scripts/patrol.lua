-- Takes the next turn of the patrol, which walks through the indexes one after the other, in a circle.
-- KEYS[1] where the patrol is: index and member  [2] the sessions that had a turn, scored by when  [3…] the indexes
-- ARGV[1] how long until a session has its next turn, ms  [2] how many reads of an index at most
-- Returns {1, uuid}, or {0, ms until the next turn}
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', NOW - ARGV[1])
-- A turn in the future means that the clock was set back: it must not keep the session from its next turn.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. NOW, '+inf')
local at = redis.call('HMGET', KEYS[1], 'index', 'place')
local index, place = tonumber(at[1]) or 3, at[2] or ''
local uuid
local rounds = 0
for _ = 1, tonumber(ARGV[2]) do
  local found = redis.call('ZRANGEBYLEX', KEYS[index] or KEYS[3], place == '' and '-' or '(' .. place, '+', 'LIMIT', 0, 1)[1]
  if found then
    place = found
    local of = string.match(found, '([^%z]+)$')
    if not redis.call('ZSCORE', KEYS[2], of) then
      uuid = of
      break
    end
  else
    index, place = index + 1, ''
    if not KEYS[index] then
      index, rounds = 3, rounds + 1
      if rounds == 2 then break end
    end
  end
end
redis.call('HSET', KEYS[1], 'index', index, 'place', place)
if uuid then
  redis.call('ZADD', KEYS[2], NOW, uuid)
  return { 1, uuid }
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
return { 0, first and math.max(1, first + ARGV[1] - NOW) or tonumber(ARGV[1]) }
