-- Reads a record, Redis' clock and the shard's intake.
-- KEYS[1] session  [2] intake
-- Returns {now ms, record as JSON: field, value, …, intake: beat, floor, lost, rewound, warning}
local t = redis.call('TIME')
return {
  t[1] * 1000 + math.floor(t[2] / 1000),
  cjson.encode(redis.call('HGETALL', KEYS[1])),
  redis.call('HMGET', KEYS[2], 'beat', 'floor', 'lost', 'rewound', 'warning'),
}
