-- Workers have died: what they held runs again at once. Returns the ids.
-- Invariant: a task that is still leased to a dead worker is queued, due, or ended afterwards, never lost.
-- ARGV: most crashes, base ms, number of queues, queues…, workers…
local dead, found = {}, {}
for i = 4 + ARGV[3], #ARGV do dead[ARGV[i]] = true end
for i = 4, 3 + ARGV[3] do
  for _, id in ipairs(redis.call('ZRANGE', P .. 'leases:' .. ARGV[i], 0, -1)) do
    local worker = redis.call('HGET', task_key(id), 'worker')
    if worker and dead[worker] then
      crash(id, ARGV[i], 'the worker died', tonumber(ARGV[1]), tonumber(ARGV[2]))
      found[#found + 1] = id
    end
  end
end
return found
