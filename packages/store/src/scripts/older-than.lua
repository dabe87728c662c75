-- Lists members of a set scored by time that have at least this age, oldest first.
-- KEYS[1] the set
-- ARGV[1] age, ms  [2] how many at most
-- Returns uuids
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', NOW - ARGV[1], 'LIMIT', 0, ARGV[2])
