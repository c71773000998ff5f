-- KEYS: lease. ARGV: node, epoch, token, time to live (ms), 1 if the holder is subscribed to its alive channel.
local lease = lease_of(KEYS[1])
if not is_granted(lease, ARGV[1], ARGV[2], ARGV[3]) then
  return with_holder('lost', KEYS[1], lease)
end
redis.call('HSET', KEYS[1], 'ttl', ARGV[4], 'alive', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { 'renewed' }
