-- Counts events, so that not all of them travel.
-- KEYS[1] events
-- ARGV[1] after which  [2] how many at most
-- Returns {now ms, how many, id of the first ('': none), of the last}
local t = redis.call('TIME')
local found = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
local first, last = found[1], found[#found]
return { t[1] * 1000 + math.floor(t[2] / 1000), #found, first and first[1] or '', last and last[1] or '' }
