-- Activity on sessions that are wanted awake; on any other it writes nothing.
-- KEYS[1] ingest  [2…] sessions
-- ARGV[1] slack, percent  then of each session: field (lastActivity's or lastBackground's), when (ms, or '' for now)
-- Returns {now ms, ingest, of each session: {touched 0|1, record, sleep alarm moved 0|1, delete alarm moved 0|1}, or why it could not be}
local WANTED, REV, SLEEP_AFTER, DELETE_AFTER, SLEEP_ANCHOR, DELETE_ANCHOR = 'w', 'r', 's', 'd', 'sa', 'da'

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Rounded up, so that a whole idle time has passed at the deadline and never a fraction of a ms less.
local ceiling = t[1] * 1000 + math.ceil(t[2] / 1000)
local slack = ARGV[1] / 100

local function touch(key, field, asked)
  local record = redis.call('HGETALL', key)
  local place = {}
  for i = 1, #record, 2 do place[record[i]] = i + 1 end
  local function get(name) return record[place[name]] end
  if get(WANTED) ~= 'awake' then return { 0, cjson.encode(record), 0, 0 } end

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
  local at = math.max(math.min(tonumber(asked) or ceiling, ceiling), tonumber(get(field)) or 0)
  local function move(anchor, after)
    if not after or at - (tonumber(get(anchor)) or 0) <= after * slack then return 0 end
    put(anchor, at)
    return 1
  end
  local sleepAfter, deleteAfter = tonumber(get(SLEEP_AFTER)), tonumber(get(DELETE_AFTER))
  put(field, at)
  put(REV, get(REV) + 1)
  local sleep = move(SLEEP_ANCHOR, sleepAfter)
  local delete = move(DELETE_ANCHOR, deleteAfter and deleteAfter + (sleepAfter or 0))
  redis.call('HSET', key, unpack(set))
  return { 1, cjson.encode(record), sleep, delete }
end

local answer = { now, redis.call('HMGET', KEYS[1], 'beat', 'floor', 'lost', 'rewound') }
for i = 2, #KEYS do
  -- What is wrong with one session is no other's fault.
  local done, result = pcall(touch, KEYS[i], ARGV[2 * i - 2], ARGV[2 * i - 1])
  answer[i + 1] = done and result or tostring(type(result) == 'table' and result.err or result)
end
return answer
