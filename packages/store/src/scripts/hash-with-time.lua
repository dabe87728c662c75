-- Reads a hash and Redis' clock.
-- KEYS[1] the hash
-- Returns {now ms, {field, value, …}}
return { NOW, redis.call('HGETALL', KEYS[1]) }
