-- Writes a decision if nobody wrote since the record it was made on; logs a change of status in the same step.
-- KEYS[1] session  [2] unarmed  [3] events  [4] tombstones  [5] index of the old status  [6] of the new  [7] ingest
-- KEYS[8] savings  [9] those whose calls fail, by since when
-- ARGV[1] what it was made on: rev and token ('0 ': no record)  [2] uuid  [3] draw alarms 0|1  [4] lease, ms ('0': none)
-- ARGV[5] old status ('': none)  [6] new status  [7] cause  [8] owner  [9] cap of the events stream
-- ARGV[10] its place in the old index  [11] in the new  [12] the change as the record keeps it  [13] bytes of changes kept
-- ARGV[14] where the books' clocks begin, ms  [15] how old a regret's sleep may be, ms  [16] bookings that follow
-- ARGV[17] since when its calls fail, ms ('0': they do not any more, '': as before)
-- then each: what and whose, by, since ('clock': one that starts or stops; '': counts; ms: counts unless older)
-- then field, value ('': remove it), …
-- Returns {committed 0|1, now ms, record, ingest}
local function base36(number)
  local text = ''
  while number > 0 do
    local digit = number % 36
    text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  end
  return text
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ingest = redis.call('HMGET', KEYS[7], 'beat', 'floor', 'lost', 'rewound', 'warning')
-- Where Redis has forgotten something a rev may come twice; a token does not.
local seen = redis.call('HMGET', KEYS[1], 'r', 't')
if (seen[1] or '0') .. ' ' .. (seen[2] or '') ~= ARGV[1] then
  return { 0, now, cjson.encode(redis.call('HGETALL', KEYS[1])), ingest }
end

local fields = 18 + 3 * ARGV[16]
for i = fields, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[i]) else redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
if ARGV[4] ~= '0' then redis.call('HSET', KEYS[1], 'tu', now + ARGV[4]) end
if ARGV[3] == '1' then
  -- Never a number that was there before, not even for a uuid that came back.
  redis.call('HSET', KEYS[1], 'n', math.max((tonumber(redis.call('HGET', KEYS[1], 'n')) or 0) + 1, now))
  redis.call('ZADD', KEYS[2], now, ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'r', 1)

if ARGV[17] == '0' then redis.call('ZREM', KEYS[9], ARGV[2]) elseif ARGV[17] ~= '' then redis.call('ZADD', KEYS[9], ARGV[17], ARGV[2]) end

-- A clock is the number of pods for which it runs, and the sum of their ends minus that of their beginnings.
for i = 18, fields - 1, 3 do
  local what, by, since = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if since == 'clock' then redis.call('HINCRBY', KEYS[8], 'ms.' .. what, -by * (now - ARGV[14])) end
  if since == 'clock' or since == '' or now - since <= tonumber(ARGV[15]) then redis.call('HINCRBY', KEYS[8], what, by) end
end

local from, to = ARGV[5], ARGV[6]
if from ~= to then
  if from ~= '' then redis.call('ZREM', KEYS[5], ARGV[10]) end
  redis.call('ZADD', KEYS[6], 0, ARGV[11])
  if to == 'deleted' then redis.call('ZADD', KEYS[4], now, ARGV[2]) else redis.call('ZREM', KEYS[4], ARGV[2]) end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[9], '*',
    'uuid', ARGV[2], 'userId', ARGV[8], 'at', now, 'from', from, 'to', to, 'cause', ARGV[7],
    'lastActivity', redis.call('HGET', KEYS[1], 'a') or '0')
  local changes = base36(now) .. ARGV[12] .. (redis.call('HGET', KEYS[1], 'ch') or '')
  redis.call('HSET', KEYS[1], 'ch', string.sub(changes, 1, ARGV[13]))
end
return { 1, now, cjson.encode(redis.call('HGETALL', KEYS[1])), ingest }
