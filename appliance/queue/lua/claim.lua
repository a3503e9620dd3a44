-- Take the oldest task of the first queue that has one and may run one more.
-- Invariant: an id leaves its list only into the leases of its queue, under a fence number never given out before.
-- ARGV: worker, lease ms, then in the order to look: queue, most at once (0: any number)
for i = 3, #ARGV, 2 do
  local queue, most = ARGV[i], tonumber(ARGV[i + 1])
  local leases = P .. 'leases:' .. queue
  if redis.call('SISMEMBER', P .. 'paused', queue) == 0 and (most == 0 or redis.call('ZCARD', leases) < most) then
    while true do
      local id = redis.call('RPOP', P .. 'list:' .. queue)
      if not id then break end
      local key = task_key(id)
      -- What was cancelled, or purged, leaves its id on the list.
      if redis.call('HGET', key, 'state') == 'queued' then
        local fence = redis.call('HINCRBY', key, 'fence', 1)
        redis.call('HINCRBY', key, 'attempts', 1)
        redis.call('HSET', key, 'state', 'running', 'worker', ARGV[1], 'started', now)
        redis.call('ZADD', leases, now + ARGV[2], id)
        tell(id, 'running')
        local row = redis.call('HMGET', key, 'name', 'arguments', 'attempts', 'retries', 'max_retries', 'soft', 'created')
        return { id, queue, fence, row[1], row[2], row[3], row[4], row[5], row[6], now - row[7] }
      end
    end
  end
end
return false
