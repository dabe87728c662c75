-- Writes a commit unless the record has changed since it was read. A change of status, its event and the usage are one step.
-- KEYS[…] as named in the first line of code
-- ARGV[1] the commit as JSON (CommitMessage in commit-message.ts)
-- Returns {committed 0|1, now ms, record, intake}
local session, unarmed, events, tombstones, oldIndex, newIndex, intake, usage, failing = unpack(KEYS)
local commit = cjson.decode(ARGV[1])

local function base36(number)
  local text = ''
  while number > 0 do
    local digit = number % 36
    text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
    number = (number - digit) / 36
  end
  return text
end

-- The same rev may occur twice, if Redis came back with older data. A call's token never does, so it is compared too.
local seen = redis.call('HMGET', session, FIELDS.rev, FIELDS.token)
if (seen[1] or '0') ~= commit.rev or (seen[2] or '') ~= commit.token then
  return { 0, NOW, cjson.encode(redis.call('HGETALL', session)), redis.call('HMGET', intake, INTAKE.all) }
end

if #commit.set > 0 then redis.call('HSET', session, unpack(commit.set)) end
if #commit.remove > 0 then redis.call('HDEL', session, unpack(commit.remove)) end
if commit.lease > 0 then redis.call('HSET', session, FIELDS.actionUntil, NOW + commit.lease) end
if commit.alarms then
  -- A number is at least the time now. So it never repeats, even if a record was removed and its uuid is used again.
  redis.call('HSET', session, FIELDS.n, math.max((tonumber(redis.call('HGET', session, FIELDS.n)) or 0) + 1, NOW))
  redis.call('ZADD', unarmed, NOW, commit.uuid)
end
redis.call('HINCRBY', session, FIELDS.rev, 1)

if commit.failingSince == 0 then
  redis.call('ZREM', failing, commit.uuid)
elseif commit.failingSince then
  redis.call('ZADD', failing, commit.failingSince, commit.uuid)
end

for _, entry in ipairs(commit.usage) do
  -- A usage clock is two fields: the number of pods it runs for, and (ms.NAME) the sum of all ends minus the sum of all starts.
  -- A regret counts only if its sleep is recent, which only the script can tell.
  if entry.clock then redis.call('HINCRBY', usage, 'ms.' .. entry.name, -entry.by * (NOW - CONSTANTS.CLOCKS_BEGIN_MS)) end
  if not entry.since or NOW - entry.since <= CONSTANTS.REGRET_MS then redis.call('HINCRBY', usage, entry.name, entry.by) end
end

local from, to = commit.from, commit.to
if from ~= to then
  if from ~= '' then redis.call('ZREM', oldIndex, commit.oldMember) end
  redis.call('ZADD', newIndex, 0, commit.newMember)
  if to == 'deleted' then redis.call('ZADD', tombstones, NOW, commit.uuid) else redis.call('ZREM', tombstones, commit.uuid) end
  redis.call('XADD', events, 'MAXLEN', '~', CONSTANTS.EVENTS_CAP, '*',
    'uuid', commit.uuid, 'userId', commit.userId, 'at', NOW, 'from', from, 'to', to, 'cause', commit.cause,
    'lastActivity', redis.call('HGET', session, FIELDS.lastActivity) or '0')
  local changes = base36(NOW) .. commit.change .. (redis.call('HGET', session, FIELDS.changes) or '')
  redis.call('HSET', session, FIELDS.changes, string.sub(changes, 1, CONSTANTS.HISTORY_BYTES))
end
return { 1, NOW, cjson.encode(redis.call('HGETALL', session)), redis.call('HMGET', intake, INTAKE.all) }
