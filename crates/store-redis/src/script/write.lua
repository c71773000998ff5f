-- KEYS: lease, manifest, log, sizes of its entries, sync state, then one per row.
-- ARGV: node, epoch, token, expected store ('' for none), expected revision, new store, new revision, log length, log
-- bytes, 1 if the log carries the rows, the rows for the log, zone, 1 to write the sync state, node version, from, to,
-- number of manifest fields, the manifest's names and values, then per row id, type, action, payload, time of its
-- record ('' if not known).
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('fenced', KEYS[1], lease)
end

local found = redis.pcall('HMGET', KEYS[2], 'store', 'revision')
local store = not found.err and found[1] or ''
if store ~= ARGV[4] or (store ~= '' and found[2] ~= ARGV[5]) then
  return { 'unexpected', fields_of(KEYS[2]) }
end

local first, count = 18, 2 * tonumber(ARGV[17])
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
local zone, at = ARGV[12], last + 1
for row = 6, #KEYS do
  local id, kind, action, recorded = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 4]
  if action == 'DEPLOY' and recorded ~= '' then
    put(KEYS[row], 'clusterId', zone, 'id', id, 'payload', ARGV[at + 3], 'type', kind, 'syncAction', action,
      'updatedAt', now, 'zonegateRecordedAt', recorded)
  elseif action == 'DEPLOY' then
    local added = put(KEYS[row], 'clusterId', zone, 'id', id, 'payload', ARGV[at + 3], 'type', kind,
      'syncAction', action, 'updatedAt', now)
    -- What an older version of the row said is not true of this one. All six are new: there was none.
    if added < 6 then
      redis.call('HDEL', KEYS[row], 'zonegateRecordedAt')
    end
  else
    -- Readers of APIM need the last payload of some kinds to know what was removed.
    put(KEYS[row], 'clusterId', zone, 'id', id, 'type', kind, 'syncAction', action, 'updatedAt', now)
    if recorded ~= '' then
      redis.call('HSET', KEYS[row], 'zonegateRecordedAt', recorded)
    else
      redis.call('HDEL', KEYS[row], 'zonegateRecordedAt')
    end
  end
  at = at + 5
end

put(KEYS[2], unpack(ARGV, first, last))
if ARGV[13] == '1' then
  put(KEYS[5], 'clusterId', zone, 'nodeId', ARGV[1], 'nodeVersion', ARGV[14], 'from', ARGV[15], 'to', ARGV[16])
end
return { 'written' }
