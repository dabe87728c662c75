-- Runs a batch of calls of `one`, the function that precedes this text.
-- KEYS[…] the keys of the first call, of the second, …
-- ARGV[1] how many calls  then per call: how many keys, how many arguments, the arguments
-- Returns per call {its result}, or the text of its error; one error for all where Redis would refuse each of them
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
    -- An error of one session's keys fails only that call. An error that every call would get (READONLY, OOM, …) fails the
    -- whole batch, so that the connection sees it.
    local text = tostring(type(answer) == 'table' and answer.err or answer)
    -- Before Redis 7 the text of an error begins with the line of the script.
    local reason = string.gsub(text, '^@?user_script: ?%d+: ?%-?', '')
    if string.find(reason, '^%u+ ') and not string.find(reason, '^WRONGTYPE') and not string.find(reason, '^ERR') then return { err = reason } end
    answers[i] = reason
  end
end
return answers
