-- KEYS: lease, manifest, sync state. ARGV: node, epoch, token, zone, node version, from, to, reads, expected
-- store and revision.
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('fenced', KEYS[1], lease)
end
local found = redis.pcall('HMGET', KEYS[2], 'store', 'revision', 'whole')
if found.err or not found[1] or found[1] ~= ARGV[9] or found[2] ~= ARGV[10] then
  return { 'unexpected', fields_of(KEYS[2]) }
end
redis.call('HSET', KEYS[2], 'synced_from', ARGV[6], 'synced_to', ARGV[7], 'synced_reads', ARGV[8])
if found[2] == found[3] then
  put(KEYS[3], 'clusterId', ARGV[4], 'nodeId', ARGV[1], 'nodeVersion', ARGV[5], 'from', ARGV[6], 'to', ARGV[7])
end
return { 'written' }
