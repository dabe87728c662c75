-- Writes a decision unless the record has changed since it was read. Writes a change of status, its event and usage in one step.
-- KEYS[1] session  [2] unarmed  [3] events  [4] tombstones  [5] index of the old status  [6] of the new  [7] intake
-- KEYS[8] usage  [9] sessions whose calls fail, scored by since when
-- ARGV[1] rev and token of the record that was read ('0 ': no record)  [2] uuid  [3] draw alarms 0|1  [4] lease, ms ('0': none)
-- ARGV[5] old status ('': none)  [6] new status  [7] cause  [8] the session's user  [9] cap of the event stream
-- ARGV[10] member of the old index  [11] of the new  [12] the change as the history has it, without its time
-- ARGV[13] longest history, bytes  [14] start of the usage clocks, ms  [15] how old a regret's sleep may be, ms
-- ARGV[16] how many usage entries follow  [17] since when the session's calls fail, ms ('0': they no longer do, '': unchanged)
-- then per entry: item and policy, amount, since ('clock': a clock starts or stops; '': counts; ms: counts unless older)
-- then per field: name, value ('': remove the field)
-- Returns {committed 0|1, now ms, record, intake}
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
-- After Redis came back with older data, the same rev may occur again; a token never does.
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
  -- At least the time now, so that no number repeats, even for a uuid that is used again after its record was removed.
  redis.call('HSET', KEYS[1], 'n', math.max((tonumber(redis.call('HGET', KEYS[1], 'n')) or 0) + 1, now))
  redis.call('ZADD', KEYS[2], now, ARGV[2])
end
redis.call('HINCRBY', KEYS[1], 'r', 1)

if ARGV[17] == '0' then redis.call('ZREM', KEYS[9], ARGV[2]) elseif ARGV[17] ~= '' then redis.call('ZADD', KEYS[9], ARGV[17], ARGV[2]) end

-- A usage clock has two fields: how many pods it runs for, and the sum of all ends minus the sum of all starts, ms.
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
