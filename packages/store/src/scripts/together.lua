-- Runs `one`, which stands before this, for each of several calls.
-- KEYS those of the first call, of the second, …
-- ARGV[1] how many calls  then of each: how many keys, how many arguments, the arguments
-- Returns of each call {what it returned}, or why it could not
local answers, key, arg = {}, 0, 1
for i = 1, ARGV[1] do
  local keys, args = {}, {}
  for j = 1, ARGV[arg + 1] do keys[j] = KEYS[key + j] end
  for j = 1, ARGV[arg + 2] do args[j] = ARGV[arg + 2 + j] end
  key = key + #keys
  arg = arg + 2 + #args
  local done, answer = pcall(one, keys, args)
  if done then
    answers[i] = { answer }
  else
    -- What is wrong with one session is no other's fault; but what Redis refuses to everybody (READONLY, OOM, …) the
    -- connection must hear of.
    local text = tostring(type(answer) == 'table' and answer.err or answer)
    -- Before Redis 7 an error is told with the line that met it.
    local reason = string.gsub(text, '^@?user_script: ?%d+: ?%-?', '')
    if string.find(reason, '^%u+ ') and not string.find(reason, '^WRONGTYPE') and not string.find(reason, '^ERR') then return { err = reason } end
    answers[i] = reason
  end
end
return answers
