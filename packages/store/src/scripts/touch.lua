-- Records activity of a session that is wanted awake; for any other session it writes nothing.
-- KEYS[1] session  [2] intake
-- ARGV[1] slack, percent  [2] field to write: that of lastActivity or of lastBackground  [3] when, ms ('': now)
-- Returns {touched 0|1, now ms, record, intake, sleep alarm must move 0|1, delete alarm must move 0|1, the field's former value}
local intake = redis.call('HMGET', KEYS[2], INTAKE.all)
local record = redis.call('HGETALL', KEYS[1])
local place = {}
for i = 1, #record, 2 do place[record[i]] = i + 1 end
local function get(name) return record[place[name]] end
if get(FIELDS.wanted) ~= 'awake' then return { 0, NOW, cjson.encode(record), intake, 0, 0, '' } end

local set = {}
local function put(name, value)
  local text = string.format('%.0f', value)
  set[#set + 1] = name
  set[#set + 1] = text
  if not place[name] then
    place[name] = #record + 2
    record[#record + 1] = name
  end
  record[place[name]] = text
end
local field = ARGV[2]
local before = get(field) or '0'
-- Rounded up, so that the whole idle time has passed at the deadline, not a fraction of a ms less.
local at = math.max(math.min(tonumber(ARGV[3]) or CEILING, CEILING), tonumber(before))
local function move(anchor, after)
  if not after or at - (tonumber(get(anchor)) or 0) <= after * ARGV[1] / 100 then return 0 end
  put(anchor, at)
  return 1
end
local sleepAfter, deleteAfter = tonumber(get(FIELDS.sleepAfter)), tonumber(get(FIELDS.deleteAfter))
put(field, at)
put(FIELDS.rev, get(FIELDS.rev) + 1)
local sleep = move(FIELDS.sleepAnchor, sleepAfter)
local delete = move(FIELDS.deleteAnchor, deleteAfter and deleteAfter + (sleepAfter or 0))
redis.call('HSET', KEYS[1], unpack(set))
return { 1, NOW, cjson.encode(record), intake, sleep, delete, before }
