-- Writes a worker's status, and removes workers that have not reported for long.
-- KEYS[1] workers
-- ARGV[1] the worker's id  [2] its status as JSON  [3] how long a worker that stopped reporting is kept, ms
-- Returns nothing
redis.call('HSET', KEYS[1], ARGV[1], NOW .. ' ' .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if NOW - (tonumber(string.match(all[i + 1], '^%d+')) or 0) > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
