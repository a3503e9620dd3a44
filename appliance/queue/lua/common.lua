-- Put before every script: names and the one clock, Redis' own, so that no two machines have to agree.
-- A task is a hash; its id is on the list of its queue while queued, in `due` while it waits for its time, in the
-- leases of its queue while it runs, and in none of them once it has ended.
local P = 'appliance:queue:'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local function task_key(id) return P .. 'task:' .. id end
local function wake(queue)
  local key = P .. 'wake:' .. queue
  if redis.call('LLEN', key) < 64 then redis.call('LPUSH', key, 1) end
end
local function put(id, queue, first)
  redis.call('HSET', task_key(id), 'state', 'queued', 'ready', now)
  redis.call(first and 'RPUSH' or 'LPUSH', P .. 'list:' .. queue, id)
  wake(queue)
end
local function delay(id, due, state)
  redis.call('HSET', task_key(id), 'state', state, 'due', due)
  redis.call('ZADD', P .. 'due', due, id)
end
local function count(what, queue) redis.call('HINCRBY', P .. 'counts', what .. ':' .. queue, 1) end
local function tell(id, what) redis.call('PUBLISH', P .. 'events:' .. id, what) end
-- A histogram of seconds: each bucket counts for itself, the last one what is longer than any bound.
local BOUNDS = { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000 }
local function observe(what, label, ms)
  local place = #BOUNDS + 1
  for i = 1, #BOUNDS do
    if ms <= BOUNDS[i] then
      place = i
      break
    end
  end
  redis.call('HINCRBY', P .. 'times', what .. ':' .. label .. ':' .. place, 1)
  redis.call('HINCRBY', P .. 'times', what .. ':' .. label .. ':sum', ms)
end
-- The end of a task. One that did not complete stays until the database knows its end; others are kept for a while.
local function finish(id, queue, state, keep, ...)
  local key = task_key(id)
  redis.call('HSET', key, 'state', state, 'finished', now, ...)
  if state == 'completed' then redis.call('PEXPIRE', key, keep) else redis.call('RPUSH', P .. 'unsettled', id) end
  count(state, queue)
  redis.call('HINCRBY', P .. 'rate:' .. queue, math.floor(now / 60000), 1)
  tell(id, state)
end
-- One attempt more in the task's history.
local function remember(id, worker, started, what)
  local key = task_key(id)
  local past = cjson.decode(redis.call('HGET', key, 'history') or '[]')
  if #past >= 50 then table.remove(past, 1) end
  past[#past + 1] = { started = tonumber(started), ended = now, worker = worker, error = what }
  redis.call('HSET', key, 'history', cjson.encode(past))
end
-- The owner of a lease is gone: the lease ends, its fence is shut, and the task runs again, later each time.
local function crash(id, queue, why, most, base)
  local key = task_key(id)
  redis.call('ZREM', P .. 'leases:' .. queue, id)
  redis.call('HINCRBY', key, 'fence', 1)
  local crashes = redis.call('HINCRBY', key, 'crashes', 1)
  local owner = redis.call('HMGET', key, 'worker', 'started', 'cancel')
  remember(id, owner[1], owner[2], why)
  count('crashed', queue)
  if owner[3] then return finish(id, queue, 'cancelled', 0) end
  if crashes > most then
    redis.call('HSET', key, 'error', why)
    return finish(id, queue, 'failed', 0)
  end
  if crashes == 1 then return put(id, queue, true) end
  delay(id, now + base * 2 ^ (crashes - 2), 'retrying')
end
