-- Reads a page of several indexes in one step, so that a session that changes its status meanwhile is in exactly one of them.
-- KEYS[…] indexes
-- ARGV[1] where to begin, in the form of ZRANGEBYLEX  [2] where to end  [3] how many of each index at most
-- Returns the members of each index, in order
local found = {}
for i = 1, #KEYS do found[i] = redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3]) end
return found
