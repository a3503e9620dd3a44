-- Make a task unless its id is known, so that sending twice does nothing. A task that failed or was cancelled begins
-- anew under a higher replay number than it had.
-- Invariant: the hash and its place (list or `due`) come into being together.
-- One that somebody waits for goes ahead of those that nobody does, behind the others of its kind. Callers see to it that
-- those are few: they are walked past.
-- ARGV: id, name, queue, arguments, retries, soft ms, hard ms, due ms since 1970 or 0, origin, owner, replay, ids indexed at
-- most, 1 for ahead
local id, queue = ARGV[1], ARGV[3]
local function put_ahead()
  local list, place = P .. 'list:' .. queue, -1
  while true do
    local other = redis.call('LINDEX', list, place)
    if not other then return put(id, queue) end
    if not redis.call('HGET', task_key(other), 'ahead') then
      redis.call('HSET', task_key(id), 'state', 'queued', 'ready', now)
      redis.call('LINSERT', list, 'AFTER', other, id)
      return wake(queue)
    end
    place = place - 1
  end
end
local key = task_key(id)
local known = redis.call('HMGET', key, 'state', 'replay', 'fence')
if known[1] then -- its fence goes on from where it was: an old holder stays shut out
  local is_over = known[1] == 'failed' or known[1] == 'cancelled'
  if not is_over or tonumber(ARGV[11]) <= tonumber(known[2]) then return 0 end
  redis.call('DEL', key)
end
redis.call('HSET', key, 'name', ARGV[2], 'queue', queue, 'arguments', ARGV[4], 'max_retries', ARGV[5],
  'soft', ARGV[6], 'hard', ARGV[7], 'created', now, 'attempts', 0, 'retries', 0, 'crashes', 0, 'fence', (known[3] or 0) + 0,
  'origin', ARGV[9], 'owner', ARGV[10], 'replay', ARGV[11])
redis.call('ZADD', P .. 'index', redis.call('INCR', P .. 'number'), id)
redis.call('ZREMRANGEBYRANK', P .. 'index', 0, -ARGV[12] - 1)
count('enqueued', queue)
local due = tonumber(ARGV[8])
if ARGV[13] == '1' then redis.call('HSET', key, 'ahead', 1) end
if due > now then delay(id, due, 'scheduled') elseif ARGV[13] == '1' then put_ahead() else put(id, queue) end
return 1
