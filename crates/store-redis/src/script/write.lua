-- KEYS: lease, manifest, log, sizes of its entries, sync state, list of row keys, then one per row.
-- ARGV: node, epoch, token, expected store ('' for none), expected revision, new store, new revision, log length, log
-- bytes, 1 if the log carries the rows, the rows for the log, zone, 1 to write the sync state, node version, from, to,
-- number of manifest fields, 1 for the older layout (whose rows have no `clusterId`), all keys as the list of keys has
-- them, the manifest's names and values, then per row id, type, action, payload, time of its record ('' if not known).
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('fenced', KEYS[1], lease)
end

local found = redis.pcall('HMGET', KEYS[2], 'store', 'revision')
local store = not found.err and found[1] or ''
if store ~= ARGV[4] or (store ~= '' and found[2] ~= ARGV[5]) then
  return { 'unexpected', fields_of(KEYS[2]) }
end

local first, count = 20, 2 * tonumber(ARGV[17])
local last = first + count - 1

-- Another filling counts its revisions anew; ids of a stream only rise.
if store ~= ARGV[6] then
  redis.call('DEL', KEYS[3], KEYS[4])
end
local entry = { unpack(ARGV, first, last) }
if ARGV[10] == '1' then
  entry[count + 1], entry[count + 2] = 'rows', ARGV[11]
end

-- Members `<revision>:<end>`, scores where an entry begins and ends among all bytes that were ever logged: what begins
-- too far back goes from the log. The manifest's names and values take about 1 KiB.
local function text(number)
  return string.format('%.0f', number)
end
local newest = redis.pcall('ZRANGE', KEYS[4], -1, -1)
local from = not newest.err and tonumber(string.match(newest[1] or '', ':(%d+)$'))
if not from then
  redis.call('DEL', KEYS[4])
  from = 0
end
local to = from + #ARGV[11] + 1024
redis.call('ZADD', KEYS[4], text(from), ARGV[7] .. ':' .. text(to))
local longest = redis.call('ZRANGE', KEYS[4], '-' .. ARGV[8], '-' .. ARGV[8], 'WITHSCORES')
local keep_from = math.min(from, math.max(to - tonumber(ARGV[9]), tonumber(longest[2]) or 0))
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', '(' .. text(keep_from))
local oldest = string.match(redis.call('ZRANGE', KEYS[4], 0, 0)[1] or '', '^(%d+):') or ARGV[7]

local function log()
  return redis.pcall('XADD', KEYS[3], 'MINID', oldest .. '-0', ARGV[7] .. '-0', unpack(entry))
end
local logged = log()
if type(logged) == 'table' and logged.err then
  -- Left over from what the manifest knows nothing of, or no stream at all.
  redis.call('DEL', KEYS[3], KEYS[4])
  logged = log()
  if type(logged) == 'table' and logged.err then
    return logged
  end
end

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000))
local zone, at, is_older, created = ARGV[12], last + 1, ARGV[18] == '1', {}
for row = 7, #KEYS do
  local key, id, kind, action, recorded = KEYS[row], ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  local is_new
  if action == 'DEPLOY' and recorded ~= '' then
    is_new = 7 == put(key, 'clusterId', zone, 'id', id, 'payload', ARGV[at + 3], 'type', kind,
      'syncAction', action, 'updatedAt', now, 'zonegateRecordedAt', recorded)
  elseif action == 'DEPLOY' then
    is_new = 6 == put(key, 'clusterId', zone, 'id', id, 'payload', ARGV[at + 3], 'type', kind,
      'syncAction', action, 'updatedAt', now)
    -- What an older version of the row said is not true of this one.
    if not is_new then
      redis.call('HDEL', key, 'zonegateRecordedAt')
    end
  else
    -- Readers of APIM need the last payload of some kinds to know what was removed.
    is_new = 5 == put(key, 'clusterId', zone, 'id', id, 'type', kind, 'syncAction', action, 'updatedAt', now)
    if recorded ~= '' then
      redis.call('HSET', key, 'zonegateRecordedAt', recorded)
    else
      redis.call('HDEL', key, 'zonegateRecordedAt')
    end
  end
  if is_older then
    redis.call('HDEL', key, 'clusterId')
  end
  if is_new then
    created[#created + 1] = key
  end
  at = at + 5
end

put(KEYS[2], unpack(ARGV, first, last))
if #created > 0 then
  -- Rows are told in the order in which they came to be, in which they also lie in memory: reading them is twice as quick
  -- as in any other.
  local keys = ARGV[19]
  if #created < #KEYS - 6 then
    for place, key in ipairs(created) do
      -- Without `distributed_event:`.
      created[place] = (#key - 18) .. ':' .. string.sub(key, 19)
    end
    keys = table.concat(created)
  end
  local listed = redis.pcall('XADD', KEYS[6], '*', 'keys', keys)
  if type(listed) == 'table' and listed.err then
    redis.call('DEL', KEYS[6])
    redis.call('HDEL', KEYS[2], 'listed')
  else
    local before = tonumber(redis.call('HGET', KEYS[2], 'listed') or '0') or 0
    redis.call('HSET', KEYS[2], 'listed', text(before + #created))
  end
end
if ARGV[13] == '1' then
  put(KEYS[5], 'clusterId', zone, 'nodeId', ARGV[1], 'nodeVersion', ARGV[14], 'from', ARGV[15], 'to', ARGV[16])
end
return { 'written' }
