-- One page of several indexes, read at one moment: a session that changes its status meanwhile is in one of them.
-- KEYS[…] indexes
-- ARGV[1] where to begin, as ZRANGEBYLEX writes it  [2] where to end  [3] how many of each at most
-- Returns the members of each index, in order
local found = {}
for i = 1, #KEYS do found[i] = redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3]) end
return found
