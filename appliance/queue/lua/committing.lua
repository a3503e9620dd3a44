-- Put before the scripts that commit.
-- The one end of an attempt: what came of it and what follows, at once.
-- Invariant: of all who ever held the task only the last one, and only while it holds the lease, changes anything.
-- Repeating it after a lost answer is safe: 2 says that it was done. What somebody wanted to end does not run again.
-- ARGV: id, queue, fence, outcome, keep ms of a completed one, result, error, due ms, worker, 1 when a retry counts,
-- 1 when the queue runs only so many at once
-- outcomes: completed, failed, cancelled, retrying (at `due`), queued (given back, not charged)
local function commit()
  local id, queue, outcome = ARGV[1], ARGV[2], ARGV[4]
  local key = task_key(id)
  local row = redis.call('HMGET', key, 'fence', 'committed', 'started', 'name', 'cancel', 'error')
  if row[1] ~= ARGV[3] then return 0 end
  if redis.call('ZREM', P .. 'leases:' .. queue, id) == 0 then return row[2] == ARGV[3] and 2 or 0 end
  if row[5] and (outcome == 'queued' or outcome == 'retrying') then outcome = 'cancelled' end
  if outcome == 'queued' then
    redis.call('HSET', key, 'committed', ARGV[3])
    redis.call('HINCRBY', key, 'attempts', -1)
    count('given_back', queue)
    put(id, queue, true)
    tell(id, 'queued')
    return 1
  end
  if ARGV[7] ~= '' then
    redis.call('HSET', key, 'error', ARGV[7])
    remember(id, ARGV[9], row[3], ARGV[7])
  end
  if outcome == 'retrying' then
    redis.call('HSET', key, 'committed', ARGV[3])
    redis.call('HINCRBY', key, 'retries', ARGV[10])
    count('retried', queue)
    delay(id, tonumber(ARGV[8]), 'retrying')
    tell(id, 'retrying')
  else
    local took = now - row[3]
    observe('run', row[4], took)
    if outcome == 'completed' then
      if row[6] then redis.call('HDEL', key, 'error') end
      finish(id, queue, outcome, ARGV[5], 'committed', ARGV[3], 'execution', took, 'result', ARGV[6])
    else
      finish(id, queue, outcome, 0, 'committed', ARGV[3], 'execution', took)
    end
  end
  -- Somebody may have waited for the room.
  if ARGV[11] == '1' and redis.call('LLEN', P .. 'list:' .. queue) > 0 then wake(queue) end
  return 1
end
