-- Reads a record, Redis' clock and the shard's intake.
-- KEYS[1] session  [2] intake
-- Returns {now ms, record, intake}
return { NOW, cjson.encode(redis.call('HGETALL', KEYS[1])), redis.call('HMGET', KEYS[2], INTAKE.all) }
