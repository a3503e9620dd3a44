-- Lengthen the leases of living workers, and tell what they run: id, queue, worker, ms it runs, hard limit ms, cancelled.
-- Invariant: only a lease that is still held is lengthened; one that has ended stays ended.
-- ARGV: lease ms, number of queues, queues…, workers…
local mine, found = {}, {}
for i = 3 + ARGV[2], #ARGV do mine[ARGV[i]] = true end
for i = 3, 2 + ARGV[2] do
  local leases = P .. 'leases:' .. ARGV[i]
  for _, id in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
    local row = redis.call('HMGET', task_key(id), 'worker', 'started', 'hard', 'cancel')
    if row[1] and mine[row[1]] then
      redis.call('ZADD', leases, 'XX', now + ARGV[1], id)
      found[#found + 1] = { id, ARGV[i], row[1], now - row[2], tonumber(row[3]), row[4] and 1 or 0 }
    end
  end
end
return found
