-- Activity on a session that is wanted awake; on any other it writes nothing.
-- KEYS[1] session  [2] ingest
-- ARGV[1] field: lastActivity or lastBackground   ARGV[2] when, ms, or '' for now   ARGV[3] slack, percent
-- Returns {touched 0|1, now ms, record, ingest, sleep alarm moved 0|1, delete alarm moved 0|1}
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ingest = redis.call('HMGET', KEYS[2], 'beat', 'floor', 'lost', 'rewound')
local f = redis.call('HMGET', KEYS[1], 'wanted', 'sleepAfter', 'deleteAfter', 'sleepAnchor', 'deleteAnchor', ARGV[1])
if f[1] ~= 'awake' then return { 0, now, redis.call('HGETALL', KEYS[1]), ingest, 0, 0 } end

-- Rounded up, so that a whole idle time has passed at the deadline and never a fraction of a ms less.
local ceiling = t[1] * 1000 + math.ceil(t[2] / 1000)
local at = math.max(math.min(tonumber(ARGV[2]) or ceiling, ceiling), tonumber(f[6]) or 0)
local sleepAfter, deleteAfter = tonumber(f[2]), tonumber(f[3])
local set = { ARGV[1], at }
local function moves(anchor, after)
  return after and at - (tonumber(anchor) or 0) > after * ARGV[3] / 100 and 1 or 0
end
local sleep = moves(f[4], sleepAfter)
local delete = moves(f[5], deleteAfter and deleteAfter + (sleepAfter or 0))
if sleep == 1 then set[#set + 1] = 'sleepAnchor'; set[#set + 1] = at end
if delete == 1 then set[#set + 1] = 'deleteAnchor'; set[#set + 1] = at end
redis.call('HSET', KEYS[1], unpack(set))
redis.call('HINCRBY', KEYS[1], 'rev', 1)
return { 1, now, redis.call('HGETALL', KEYS[1]), ingest, sleep, delete }
