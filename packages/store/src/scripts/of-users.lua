-- The sessions of many users in several indexes, read at one moment.
-- KEYS[…] indexes
-- ARGV[1] users, a JSON array without duplicates  [2] how many places of one user and index to read
-- Returns {places, users who may have more: their numbers from 0; none of their places are among the others}
local users, most = cjson.decode(ARGV[1]), tonumber(ARGV[2])
local found, more = {}, {}
for _, user in ipairs(users) do found[user] = {} end

local function add(place)
  -- A name may hold the byte 0 too: the last one ends it.
  local own = found[string.match(place, '^(.*)%z')]
  if own then own[#own + 1] = place end
end

for _, index in ipairs(KEYS) do
  local size = redis.call('ZCARD', index)
  if size > 0 and size <= #users then
    -- Fewer sessions than users: one read is cheaper than one for each user.
    for _, place in ipairs(redis.call('ZRANGE', index, 0, -1)) do add(place) end
  elseif size > 0 then
    for _, user in ipairs(users) do
      local places = redis.call('ZRANGEBYLEX', index, '[' .. user .. '\0', '(' .. user .. '\1', 'LIMIT', 0, most)
      if #places == most then more[user] = true end
      -- Also those of a name that goes on behind a byte 0, which may have been asked for as well.
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
