-- A worker says that it lives, and forgets those that have not said so for long.
-- KEYS[1] workers
-- ARGV[1] its id  [2] its state as JSON  [3] how long others are remembered, ms
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], now .. ' ' .. ARGV[2])
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - (tonumber(string.match(all[i + 1], '^%d+')) or 0) > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], all[i]) end
end
