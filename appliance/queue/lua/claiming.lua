-- Put before the scripts that claim.
-- Take the oldest task of the first queue that has one and may run one more; false when there is none.
-- Invariant: an id leaves its list only into the leases of its queue, under a fence number never given out before.
-- Repeating it after a lost answer is safe: a worker holds one task at most, and is told of it again.
-- worker, lease ms, '1' when an answer may have been lost, and where in ARGV begins, in the order to look: queue, most
-- at once (0: any number)
local function told(id, queue, fence, attempts, row)
  return { id, queue, fence, row[4], row[5], attempts, row[6], row[7], row[8], now - row[9], row[10] }
end
local function known(id)
  return redis.call('HMGET', task_key(id), 'state', 'fence', 'attempts', 'name', 'arguments', 'retries', 'max_retries', 'soft',
    'ready', 'origin', 'progress', 'worker')
end
local function held(worker, first)
  for i = first, #ARGV, 2 do
    for _, id in ipairs(redis.call('ZRANGE', P .. 'leases:' .. ARGV[i], 0, -1)) do
      local row = known(id)
      if row[12] == worker then return told(id, ARGV[i], tonumber(row[2]), tonumber(row[3]), row) end
    end
  end
  return false
end
local function take_from(queue, worker, lease)
  while true do
    local id = redis.call('RPOP', P .. 'list:' .. queue)
    if not id then return false end
    local row = known(id)
    if row[1] == 'queued' then
      -- By the clock, so that it rises even after Redis has forgotten the task and was told of it again.
      local fence, attempts = math.max(now, (row[2] or 0) + 1), row[3] + 1
      redis.call('HSET', task_key(id), 'state', 'running', 'worker', worker, 'started', now, 'fence', fence, 'attempts', attempts)
      if row[11] then redis.call('HDEL', task_key(id), 'progress') end
      redis.call('ZADD', P .. 'leases:' .. queue, now + lease, id)
      tell(id, 'running')
      count('started', queue)
      observe('wait', queue, now - row[9])
      return told(id, queue, fence, attempts, row)
    end
  end
end
local function take(worker, lease, again, first)
  local found = again == '1' and held(worker, first)
  if found then return found end
  local paused = {}
  for _, queue in ipairs(redis.call('SMEMBERS', P .. 'paused')) do paused[queue] = true end
  for i = first, #ARGV, 2 do
    local queue, most = ARGV[i], tonumber(ARGV[i + 1])
    local has_room = most == 0 or redis.call('ZCARD', P .. 'leases:' .. queue) < most
    if has_room and not paused[queue] then
      found = take_from(queue, worker, lease)
      if found then return found end
    end
  end
  for i = first, #ARGV, 2 do -- whoever is woken for an empty queue now finds nothing
    if redis.call('LLEN', P .. 'list:' .. ARGV[i]) == 0 then redis.call('DEL', P .. 'wake:' .. ARGV[i]) end
  end
  return false
end
