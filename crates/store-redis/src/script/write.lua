-- KEYS: lease, manifest, log, sync state, then one per row.
-- ARGV: node, epoch, token, expected store ('' for none), expected revision, new store, new revision, log length,
-- 1 if the log carries the rows, the rows for the log, zone, 1 to write the sync state, node version, from, to,
-- number of manifest fields, the manifest's names and values, then per row id, type, action, payload.
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('fenced', KEYS[1], lease)
end

local found = redis.pcall('HMGET', KEYS[2], 'store', 'revision')
local store = not found.err and found[1] or ''
if store ~= ARGV[4] or (store ~= '' and found[2] ~= ARGV[5]) then
  return { 'unexpected', fields_of(KEYS[2]) }
end

local first, count = 17, 2 * tonumber(ARGV[16])
local last = first + count - 1

-- Another filling counts its revisions anew; ids of a stream only rise.
if store ~= ARGV[6] then
  redis.call('DEL', KEYS[3])
end
local entry = { unpack(ARGV, first, last) }
if ARGV[9] == '1' then
  entry[count + 1], entry[count + 2] = 'rows', ARGV[10]
end
local function log()
  return redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[8], ARGV[7] .. '-0', unpack(entry))
end
local logged = log()
if type(logged) == 'table' and logged.err then
  -- Left over from what the manifest knows nothing of, or no stream at all.
  redis.call('DEL', KEYS[3])
  logged = log()
  if type(logged) == 'table' and logged.err then
    return logged
  end
end

local time = redis.call('TIME')
local now = time[1] .. string.format('%03d', math.floor(tonumber(time[2]) / 1000))
local zone, at = ARGV[11], last + 1
for row = 5, #KEYS do
  local id, kind, action = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  if action == 'DEPLOY' then
    put(KEYS[row], 'clusterId', zone, 'id', id, 'payload', ARGV[at + 3], 'type', kind, 'syncAction', action,
      'updatedAt', now)
  else
    -- Readers of APIM need the last payload of some kinds to know what was removed.
    put(KEYS[row], 'clusterId', zone, 'id', id, 'type', kind, 'syncAction', action, 'updatedAt', now)
  end
  at = at + 4
end

put(KEYS[2], unpack(ARGV, first, last))
if ARGV[12] == '1' then
  put(KEYS[4], 'clusterId', zone, 'nodeId', ARGV[1], 'nodeVersion', ARGV[13], 'from', ARGV[14], 'to', ARGV[15])
end
return { 'written' }
