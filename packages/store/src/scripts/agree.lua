-- A process says which policies it was told, and hears which hold.
-- KEYS[1] the policies that hold  [2] the names of those that are tried
-- ARGV[1] version  [2] its policies ('': says nothing)  [3] prevails over others of its version 0|1
-- ARGV[4] the names ('': says nothing)  [5] how long it holds unless somebody says it again, ms
-- Returns {version, policies, names}; '' where nobody says anything
local held = redis.call('HMGET', KEYS[1], 'version', 'text')
local version, text = held[1] or '', held[2] or ''
if ARGV[2] ~= '' then
  local higher = text == '' or tonumber(ARGV[1]) > tonumber(version)
  if higher or (ARGV[3] == '1' and ARGV[1] == version) then
    version, text = ARGV[1], ARGV[2]
    redis.call('HSET', KEYS[1], 'version', version, 'text', text)
  end
  if ARGV[1] == version and ARGV[2] == text then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
end
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5]) end
return { version, text, redis.call('GET', KEYS[2]) or '' }
