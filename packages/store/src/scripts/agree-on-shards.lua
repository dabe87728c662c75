-- Agrees on the number of shards. Each process announces its number periodically.
-- KEYS[1] the number in force, and when it was last announced
-- ARGV[1] the number of this process  [2] replace another number that no process has announced recently 0|1
-- ARGV[3] how long a number stays in force after its last announcement, ms
-- Returns the number in force
local known = redis.call('HMGET', KEYS[1], 'number', 'at')
if known[1] and known[1] ~= ARGV[1] then
  if ARGV[2] == '0' or math.abs(NOW - known[2]) < tonumber(ARGV[3]) then return tonumber(known[1]) end
end
redis.call('HSET', KEYS[1], 'number', ARGV[1], 'at', NOW)
return tonumber(ARGV[1])
