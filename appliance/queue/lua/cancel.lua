-- End a task that waits; ask for the end of one that runs. Returns its state afterwards, or false for no task.
-- Invariant: a cancelled task never begins; a running one ends by its worker's own commit.
-- ARGV: id
local key = task_key(ARGV[1])
local row = redis.call('HMGET', key, 'state', 'queue')
if not row[1] then return false end
if row[1] == 'queued' or row[1] == 'scheduled' or row[1] == 'retrying' then
  redis.call('ZREM', P .. 'due', ARGV[1])
  if row[1] == 'queued' then redis.call('LREM', P .. 'list:' .. row[2], 1, ARGV[1]) end
  finish(ARGV[1], row[2], 'cancelled', 0)
  return 'cancelled'
end
if row[1] == 'running' then
  redis.call('HSET', key, 'cancel', 1)
  tell(ARGV[1], 'cancelling')
end
return row[1]
