-- Extends the lease of a call in flight while its owner still holds it.
-- KEYS[1] session  [2] intake
-- ARGV[1] token  [2] lease, ms
-- Returns {now ms, record, intake}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HGET', KEYS[1], 't') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'tu', now + ARGV[2])
  redis.call('HINCRBY', KEYS[1], 'r', 1)
end
return { now, cjson.encode(redis.call('HGETALL', KEYS[1])), redis.call('HMGET', KEYS[2], 'beat', 'floor', 'lost', 'rewound', 'warning') }
