-- The lease as { node, epoch, token }, or nil. One that would never run out is none: nobody of ours left it.
local function lease_of(key)
  local lease = redis.pcall('HMGET', key, 'node', 'epoch', 'token')
  if lease.err or not (lease[1] and lease[2] and lease[3]) or redis.call('PTTL', key) < 0 then
    return nil
  end
  return lease
end

local function is_granted(lease, node, epoch, token)
  return lease ~= nil and lease[1] == node and lease[2] == epoch and lease[3] == token
end

-- The answer `word`, followed by who holds the lease, if anybody.
local function with_holder(word, key, lease)
  if not lease then
    return { word }
  end
  return { word, lease[1], lease[2], lease[3], redis.call('PTTL', key) }
end

-- HSET over whatever lies there. Answers how many of the fields were not there before.
local function put(key, ...)
  local done = redis.pcall('HSET', key, ...)
  if type(done) == 'table' and done.err then
    if string.find(done.err, 'WRONGTYPE', 1, true) then
      redis.call('DEL', key)
    end
    done = redis.call('HSET', key, ...)
  end
  return done
end

-- The fields of a hash; none if it is something else.
local function fields_of(key)
  local fields = redis.pcall('HGETALL', key)
  if fields.err then
    return {}
  end
  return fields
end
