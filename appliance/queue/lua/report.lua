-- How far a running task is. Returns 1 when it was told.
-- Invariant: only its present holder tells.
-- ARGV: id, queue, fence, progress as JSON
local key = task_key(ARGV[1])
if redis.call('HGET', key, 'fence') ~= ARGV[3] or not redis.call('ZSCORE', P .. 'leases:' .. ARGV[2], ARGV[1]) then return 0 end
redis.call('HSET', key, 'progress', ARGV[4])
tell(ARGV[1], 'progress')
return 1
