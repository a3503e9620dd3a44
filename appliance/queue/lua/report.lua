-- How far a running task is. Returns 1 when it was told. One that comes further than ever is no poison: the
-- crashes before are forgiven.
-- Invariant: only its present holder tells.
-- ARGV: id, queue, fence, progress as JSON
local key = task_key(ARGV[1])
if redis.call('HGET', key, 'fence') ~= ARGV[3] or not redis.call('ZSCORE', P .. 'leases:' .. ARGV[2], ARGV[1]) then return 0 end
redis.call('HSET', key, 'progress', ARGV[4])
local done, furthest = cjson.decode(ARGV[4])[1], redis.call('HGET', key, 'furthest')
if not furthest or done > tonumber(furthest) then
  redis.call('HSET', key, 'furthest', done)
  if furthest then redis.call('HSET', key, 'crashes', 0) end
end
tell(ARGV[1], 'progress')
return 1
