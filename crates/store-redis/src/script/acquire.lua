-- KEYS: lease, epoch. ARGV: node, token, above, time to live (ms), 1 to take from the dead, prefix of alive channels,
-- time (ms) since the last renewal below which nobody counts as dead.
local lease = lease_of(KEYS[1])

local function is_dead()
  local more = redis.call('HMGET', KEYS[1], 'alive', 'ttl')
  local idle = (tonumber(more[2]) or 0) - redis.call('PTTL', KEYS[1])
  if more[1] ~= '1' or idle <= tonumber(ARGV[7]) then
    return false
  end
  local subscribers = redis.pcall('PUBSUB', 'NUMSUB', ARGV[6] .. lease[3])
  return not subscribers.err and tonumber(subscribers[2]) == 0
end

-- A node that asks although it holds the lease lost the answer to an earlier request, and with it the token.
if lease and lease[1] ~= ARGV[1] and not (ARGV[5] == '1' and is_dead()) then
  return with_holder('held', KEYS[1], lease)
end

local function number(text)
  local value = tonumber(text)
  if not value or value < 0 or value >= 2 ^ 53 - 1 or value ~= math.floor(value) then
    return 0
  end
  return value
end

local counter = redis.pcall('GET', KEYS[2])
if type(counter) == 'table' then
  counter = false
end
local epoch = math.max(number(counter), number(ARGV[3]), number(lease and lease[2])) + 1
local text = string.format('%.0f', epoch)
redis.call('SET', KEYS[2], text)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'node', ARGV[1], 'epoch', text, 'token', ARGV[2], 'ttl', ARGV[4], 'alive', '0')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'granted', text }
