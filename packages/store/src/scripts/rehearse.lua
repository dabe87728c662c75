-- A worker says whether it only rehearses; the first one that does not any more ends the rehearsal, which counts as activity.
-- KEYS[1] ingest
-- ARGV[1] it rehearses 0|1
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'rehearsed', 1)
elseif redis.call('HDEL', KEYS[1], 'rehearsed') == 1 then
  local t = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'floor', t[1] * 1000 + math.floor(t[2] / 1000))
end
