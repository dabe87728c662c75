-- Counts events in Redis, so that they need not be transferred.
-- KEYS[1] events
-- ARGV[1] id after which to count  [2] how many at most
-- Returns {now ms, how many, id of the first ('': none), id of the last ('': none)}
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local first, last = found[1], found[#found]
return { NOW, #found, first and first[1] or '', last and last[1] or '' }
