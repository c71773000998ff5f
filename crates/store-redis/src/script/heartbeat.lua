-- KEYS: members, seen. ARGV: node, its JSON, expiry (ms).
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local expiry = tonumber(ARGV[3])
local function score(number)
  return string.format('%.0f', number)
end

put(KEYS[1], ARGV[1], ARGV[2])
local seen = redis.pcall('ZADD', KEYS[2], score(now), ARGV[1])
if type(seen) == 'table' and seen.err then
  redis.call('DEL', KEYS[2])
  redis.call('ZADD', KEYS[2], score(now), ARGV[1])
end
-- Also those from the future: the server's clock was set back, and they will tell again.
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. score(now - expiry))
redis.call('ZREMRANGEBYSCORE', KEYS[2], '(' .. score(now + expiry), '+inf')
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, score(10 * expiry))
end

local alive, is_alive = {}, {}
for _, node in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  is_alive[node] = true
end
local members = redis.call('HGETALL', KEYS[1])
for i = 1, #members, 2 do
  if is_alive[members[i]] then
    alive[#alive + 1], alive[#alive + 2] = members[i], members[i + 1]
  else
    redis.call('HDEL', KEYS[1], members[i])
  end
end
return alive
