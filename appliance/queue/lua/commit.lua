-- The one end of an attempt: what came of it and what follows, at once.
-- Invariant: of all who ever held the task only the last one, and only while it holds the lease, changes anything.
-- Repeating it after a lost answer is safe: 2 says that it was done.
-- ARGV: id, queue, fence, outcome, keep ms, result, error, due ms, worker, 1 when a retry counts
-- outcomes: completed, failed, cancelled, retrying (at `due`), queued (given back, not charged)
local id, queue, outcome = ARGV[1], ARGV[2], ARGV[4]
local key = task_key(id)
local row = redis.call('HMGET', key, 'fence', 'committed', 'started')
if row[1] ~= ARGV[3] then return 0 end
if redis.call('ZREM', P .. 'leases:' .. queue, id) == 0 then return row[2] == ARGV[3] and 2 or 0 end
redis.call('HSET', key, 'committed', ARGV[3])
redis.call('HDEL', key, 'worker')
if outcome == 'queued' then
  redis.call('HINCRBY', key, 'attempts', -1)
  put(id, queue, true)
  return 1
end
if ARGV[7] ~= '' then
  redis.call('HSET', key, 'error', ARGV[7])
  remember(id, ARGV[9], row[3], ARGV[7])
end
if outcome == 'retrying' then
  redis.call('HINCRBY', key, 'retries', ARGV[10])
  count('retried', queue)
  delay(id, tonumber(ARGV[8]), 'retrying')
  tell(id, 'retrying')
else
  if outcome == 'completed' then
    redis.call('HSET', key, 'result', ARGV[6])
    redis.call('HDEL', key, 'error')
  end
  redis.call('HSET', key, 'execution', now - row[3])
  finish(id, queue, outcome, ARGV[5])
end
-- A queue that takes only so many at once has room again.
if redis.call('LLEN', P .. 'list:' .. queue) > 0 then wake(queue) end
return 1
