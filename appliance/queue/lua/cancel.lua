-- End a task that waits; ask for the end of one that runs. Returns its state afterwards, or false for no task.
-- Invariant: a cancelled task never begins; a running one ends by its worker's own commit.
-- ARGV: id, keep ms
local key = task_key(ARGV[1])
local row = redis.call('HMGET', key, 'state', 'queue')
if not row[1] then return false end
if row[1] == 'queued' or row[1] == 'scheduled' or row[1] == 'retrying' then
  redis.call('ZREM', P .. 'due', ARGV[1])
  finish(ARGV[1], row[2], 'cancelled', ARGV[2])
  return 'cancelled'
end
if row[1] == 'running' then redis.call('HSET', key, 'cancel', 1) end
return row[1]
