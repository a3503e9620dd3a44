-- A delivery to this webhook is over. One that failed sends the webhook to rest, each time for twice as long.
-- Returns the tokens to call, which leave the line.
-- Invariant: of several that failed in the same go, only the first lengthens the rest.
-- ARGV: webhook, token, `delivered`, `failed`, `untried`, or `woken` (it need not rest any more),
--   ms that it took, ms of the first rest, ms of the longest, ms that a delivery tells of its being well, most ms of a
--   quick one, most of one, most probes, most of all
local P = 'appliance:webhooks:'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local rests, took = P .. 'rest:' .. ARGV[1], P .. 'took:' .. ARGV[1]
redis.call('ZREM', P .. 'inside:' .. ARGV[1], ARGV[2])
redis.call('ZREM', P .. 'probes', ARGV[2])
redis.call('ZREM', P .. 'all', ARGV[2])
if ARGV[3] == 'delivered' then
  redis.call('DEL', rests)
  -- One that takes its time is no better for the others than one that fails.
  if tonumber(ARGV[4]) <= tonumber(ARGV[8]) then redis.call('SET', took, ARGV[4], 'PX', ARGV[7]) else redis.call('DEL', took) end
elseif ARGV[3] == 'woken' then
  redis.call('DEL', rests)
elseif ARGV[3] == 'failed' then
  redis.call('DEL', took)
  local rest = redis.call('HMGET', rests, 'until', 'span')
  if not rest[1] or tonumber(rest[1]) <= now then
    local span = math.min(math.max(2 * tonumber(rest[2] or 0), tonumber(ARGV[5])), tonumber(ARGV[6]))
    redis.call('HSET', rests, 'until', now + span, 'span', span)
    redis.call('PEXPIRE', rests, 2 * span + 60000)
  end
end
-- Room is given to webhooks in turn, one delivery each, whatever the length of their lines.
local function has_room(webhook)
  local inside = P .. 'inside:' .. webhook
  redis.call('ZREMRANGEBYSCORE', inside, '-inf', now)
  local count = redis.call('ZCARD', inside)
  if redis.call('EXISTS', P .. 'took:' .. webhook) == 1 then return count < tonumber(ARGV[9]) end
  local rest = tonumber(redis.call('HGET', P .. 'rest:' .. webhook, 'until') or 0)
  return rest <= now and count == 0 and redis.call('ZCARD', P .. 'probes') < tonumber(ARGV[10])
end
redis.call('ZREMRANGEBYSCORE', P .. 'all', '-inf', now)
redis.call('ZREMRANGEBYSCORE', P .. 'probes', '-inf', now)
local called, free = {}, tonumber(ARGV[11]) - redis.call('ZCARD', P .. 'all')
local looked_at = redis.call('ZRANGE', P .. 'waiting', 0, 49)
for _, webhook in ipairs(looked_at) do
  if #called >= free then break end
  local line = P .. 'line:' .. webhook
  if has_room(webhook) then
    local first = redis.call('ZPOPMIN', line, 1)
    if first[1] then called[#called + 1] = first[1] end
    redis.call('ZADD', P .. 'waiting', now, webhook)
  end
  if redis.call('ZCARD', line) == 0 then redis.call('ZREM', P .. 'waiting', webhook) end
end
return called
