-- Extends the lease of a call in flight while its owner still holds it.
-- KEYS[1] session  [2] intake
-- ARGV[1] token  [2] lease, ms
-- Returns {now ms, record, intake}
if redis.call('HGET', KEYS[1], FIELDS.token) == ARGV[1] then
  redis.call('HSET', KEYS[1], FIELDS.actionUntil, NOW + ARGV[2])
  redis.call('HINCRBY', KEYS[1], FIELDS.rev, 1)
end
return { NOW, cjson.encode(redis.call('HGETALL', KEYS[1])), redis.call('HMGET', KEYS[2], INTAKE.all) }
