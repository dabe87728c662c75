-- Writes a worker's status, and removes workers that have not reported for long.
-- KEYS[1] workers
-- ARGV[1] the worker's id  [2] its status as JSON  [3] how long a worker that stopped reporting is kept, ms
-- Returns nothing
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - (tonumber(string.match(all[i + 1], '^%d+')) or 0) > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
