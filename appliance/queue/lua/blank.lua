-- What a task was about is purged: its arguments are replaced, whatever its state.
-- Invariant: a task that is not known stays unknown, and how long one is kept does not change.
-- ARGV: id, arguments
local key = task_key(ARGV[1])
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('HSET', key, 'arguments', ARGV[2])
return 1
