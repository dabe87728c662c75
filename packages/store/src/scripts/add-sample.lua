-- Appends a sample unless one of this step is there already.
-- KEYS[1] samples
-- ARGV[1] step, ms  [2] samples kept, approximately  then field, value, …
-- Returns 1 when it was appended, else 0
local id = NOW - NOW % ARGV[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if last and tonumber(string.match(last[1], '^%d+')) >= id then return 0 end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], string.format('%.0f', id) .. '-0', unpack(ARGV, 3))
return 1
