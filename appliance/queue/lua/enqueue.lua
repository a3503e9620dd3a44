-- Make a task unless its id is known, so that sending twice does nothing.
-- Invariant: the hash and its place (list or `due`) come into being together.
-- ARGV: id, name, queue, arguments, retries, soft ms, hard ms, due ms since 1970 or 0
local id, queue = ARGV[1], ARGV[3]
if redis.call('EXISTS', task_key(id)) == 1 then return 0 end
redis.call('HSET', task_key(id), 'name', ARGV[2], 'queue', queue, 'arguments', ARGV[4], 'max_retries', ARGV[5],
  'soft', ARGV[6], 'hard', ARGV[7], 'created', now, 'attempts', 0, 'retries', 0, 'crashes', 0, 'fence', 0)
count('enqueued', queue)
local due = tonumber(ARGV[8])
if due > now then delay(id, due, 'scheduled') else put(id, queue) end
return 1
