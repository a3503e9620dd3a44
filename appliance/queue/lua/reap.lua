-- Take back the leases that nobody lengthened, and put what is due on its queue. Returns the ids taken back, and their owners.
-- Invariant: as `release`. After a gap without reaping (Redis was away, the host slept, the clock jumped) nobody could
-- beat either: then every lease gets its time anew.
-- ARGV: lease ms, most crashes, base ms, queues…
local lease, last = tonumber(ARGV[1]), tonumber(redis.call('GET', P .. 'reaped') or '0')
redis.call('SET', P .. 'reaped', now)
local amnesty = now - last > lease or now < last
local found = {}
for i = 4, #ARGV do
  local leases = P .. 'leases:' .. ARGV[i]
  if amnesty then
    for _, id in ipairs(redis.call('ZRANGE', leases, 0, -1)) do redis.call('ZADD', leases, now + lease, id) end
  else
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 100)) do
      found[#found + 1] = { id, redis.call('HGET', task_key(id), 'worker') or '' }
      crash(id, ARGV[i], 'the lease expired', tonumber(ARGV[2]), tonumber(ARGV[3]))
    end
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', now, 'LIMIT', 0, 500)) do
  redis.call('ZREM', P .. 'due', id)
  local queue = redis.call('HGET', task_key(id), 'queue')
  if queue then put(id, queue) end
end
-- Minutes that no rate is made of any more.
for i = 4, #ARGV do
  local rate = P .. 'rate:' .. ARGV[i]
  if redis.call('HLEN', rate) > 20 then
    for _, minute in ipairs(redis.call('HKEYS', rate)) do
      if tonumber(minute) < now / 60000 - 10 then redis.call('HDEL', rate, minute) end
    end
  end
end
return found
