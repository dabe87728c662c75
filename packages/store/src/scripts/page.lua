-- One page of several indexes merged by uuid: a session that changes its status meanwhile keeps its place.
-- KEYS[…] indexes
-- ARGV[1] where to begin, as ZRANGEBYLEX writes it  [2] how many
-- Returns uuids in order
local found = {}
for i = 1, #KEYS do
  for _, uuid in ipairs(redis.call('ZRANGEBYLEX', KEYS[i], ARGV[1], '+', 'LIMIT', 0, ARGV[2])) do found[#found + 1] = uuid end
end
table.sort(found)
local page = {}
for i = 1, math.min(#found, tonumber(ARGV[2])) do page[i] = found[i] end
return page
