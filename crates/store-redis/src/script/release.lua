-- KEYS: lease, manifest, log. ARGV: node, epoch, token, log length.
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('lost', KEYS[1], lease)
end
redis.call('DEL', KEYS[1])
local revision = redis.pcall('HGET', KEYS[2], 'revision')
if type(revision) ~= 'string' then
  revision = '0'
end
-- Only a hint to followers, so it may fail: where the log is not a stream, or is ahead.
redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], revision .. '-' .. ARGV[2], 'released', ARGV[2])
return { 'released' }
