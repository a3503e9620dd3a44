-- What waits for its time need not wait any longer. Returns how many of these waited.
-- Invariant: as `reap`: what leaves `due` is on its queue.
-- ARGV: ids
local count = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', P .. 'due', id) == 1 then
    put(id, redis.call('HGET', task_key(id), 'queue'))
    count = count + 1
  end
end
return count
