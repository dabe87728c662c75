-- Precedes the scripts that use NOW. Reads Redis' clock once for a batch.
local time = redis.call('TIME')
-- Redis' clock in ms, rounded down, and rounded up.
local NOW, CEILING = time[1] * 1000 + math.floor(time[2] / 1000), time[1] * 1000 + math.ceil(time[2] / 1000)
