-- Agrees on the number of shards.
-- KEYS[1] the number in force
-- ARGV[1] the number that a process was given  [2] the number that stands for nothing any more and may be replaced ('': none)
-- Returns the number in force
local known = redis.call('GET', KEYS[1])
if known and known ~= ARGV[2] then return tonumber(known) end
redis.call('SET', KEYS[1], ARGV[1])
return tonumber(ARGV[1])
