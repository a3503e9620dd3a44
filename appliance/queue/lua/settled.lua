-- The database knows how this task ended: it is kept for a while, then forgotten.
-- Invariant: a task that was begun anew meanwhile is not forgotten.
-- ARGV: id, keep ms
local state = redis.call('HGET', task_key(ARGV[1]), 'state')
if state == 'failed' or state == 'cancelled' then redis.call('PEXPIRE', task_key(ARGV[1]), ARGV[2]) end
return redis.call('LREM', P .. 'unsettled', 1, ARGV[1])
