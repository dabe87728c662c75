-- Finds the sessions of many users in several status indexes, in one step.
-- KEYS[…] indexes
-- ARGV[1] users, a JSON array without duplicates  [2] how many members to read at most for each user and index
-- Returns {members, positions (from 0) in ARGV[1] of users who may have more; none of their members are returned}
local users, most = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local found, more = {}, {}
for _, user in ipairs(users) do found[user] = {} end

local function add(place)
  -- A user's name may contain the byte 0: the last one ends the name.
  local own = found[string.match(place, '^(.*)%z')]
  if own then own[#own + 1] = place end
end

for _, index in ipairs(KEYS) do
  local size = redis.call('ZCARD', index)
  if size > 0 and size <= #users then
    -- No more sessions than users: one read of all is cheaper than one for each user.
    for _, place in ipairs(redis.call('ZRANGE', index, 0, -1)) do add(place) end
  elseif size > 0 then
    for _, user in ipairs(users) do
      local places = redis.call('ZRANGEBYLEX', index, '[' .. user .. '\0', '(' .. user .. '\1', 'LIMIT', 0, most)
      if #places == most then more[user] = true end
      -- The range also holds users whose name begins with this one and a byte 0. They are skipped here, and may be in ARGV[1].
      for _, place in ipairs(places) do
        if string.match(place, '^(.*)%z') == user then add(place) end
      end
    end
  end
end

local places, unlisted = {}, {}
for i, user in ipairs(users) do
  if more[user] then
    unlisted[#unlisted + 1] = i - 1
  else
    for _, place in ipairs(found[user]) do places[#places + 1] = place end
  end
end
return { places, unlisted }
