-- Announces the policies of a process, and returns those in force. They stay in force until a newer announcement replaces them.
-- KEYS[1] the policies in force, and the SHA-1 of each that was in force under this version  [2] the names of shadow policies
-- ARGV[1] version  [2] policies of this process, as JSON ('': it announces none)  [3] replace others of the same version 0|1
-- ARGV[4] version  [5] edition  [6] policies that were in force when this process last asked ('': it knows none)
-- ARGV[7] names of shadow policies ('': it announces none)  [8] how long the names stay unless they are announced again, ms
-- Returns {version, edition, policies, names}; policies and names are '' where there are none
local held = redis.call('HMGET', KEYS[1], 'version', 'edition', 'text')
local version, edition, text = tonumber(held[1] or -1), tonumber(held[2] or 1), held[3] or ''

local function put(newVersion, newEdition, newText)
  if newVersion > version then redis.call('DEL', KEYS[1]) end
  version, edition, text = newVersion, newEdition, newText
  redis.call('HSET', KEYS[1], 'version', version, 'edition', edition, 'text', text, redis.sha1hex(text), 1)
end

if ARGV[6] ~= '' then
  local v, e = tonumber(ARGV[4]), tonumber(ARGV[5])
  if v > version or (v == version and e > edition) then put(v, e, ARGV[6]) end
end
if ARGV[2] ~= '' then
  local v = tonumber(ARGV[1])
  if v > version then
    put(v, 1, ARGV[2])
  elseif v == version and ARGV[3] == '1' and redis.call('HEXISTS', KEYS[1], redis.sha1hex(ARGV[2])) == 0 and ARGV[2] ~= text then
    put(v, edition + 1, ARGV[2])
  end
end
-- Release 0.1.0 set an expiry.
redis.call('PERSIST', KEYS[1])
if ARGV[7] ~= '' then redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8]) end
return { version, edition, text, redis.call('GET', KEYS[2]) or '' }
