-- May a delivery to this webhook begin? Returns a word and milliseconds: `go`; `busy`, and how long its last one took;
-- `later`, and when to come again if nobody calls before.
-- Invariant: of one webhook at most ARGV[3] begin at a time, one while it is not known to be well; of all that are not,
-- at most ARGV[4] together; and of all, at most ARGV[7]. Who dies inside leaves by its lease. Whoever is sent away waits
-- in the webhook's line, and the webhook in that of all, and is called when there is room; losing all of it costs
-- nothing but some time.
-- ARGV: webhook, token, most of one, most probes, lease ms, 1 to probe before the rest is over, most of all, 1 to wait in
-- line when it is busy, ms after which to come again uncalled
local P = 'appliance:webhooks:'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lease, uncalled = tonumber(ARGV[5]), tonumber(ARGV[9])
local inside, probes, all = P .. 'inside:' .. ARGV[1], P .. 'probes', P .. 'all'
local own = P .. 'line:' .. ARGV[1]
local function line_up(after)
  redis.call('ZADD', own, 'NX', now, ARGV[2])
  redis.call('PEXPIRE', own, 3600000)
  redis.call('ZADD', P .. 'waiting', 'NX', now, ARGV[1])
  -- The longer the line, the less often each one in it looks for itself.
  local place = redis.call('ZRANK', own, ARGV[2])
  local wait = after + (place == 0 and 0 or uncalled) + place * 100
  return { 'later', wait, wait / 4 }
end
redis.call('ZREMRANGEBYSCORE', inside, '-inf', now)
redis.call('ZREMRANGEBYSCORE', probes, '-inf', now)
redis.call('ZREMRANGEBYSCORE', all, '-inf', now)
-- Whoever comes again under a token has died in between, or was called.
redis.call('ZREM', inside, ARGV[2])
redis.call('ZREM', probes, ARGV[2])
redis.call('ZREM', all, ARGV[2])
local count = redis.call('ZCARD', inside)
local took = redis.call('GET', P .. 'took:' .. ARGV[1])
if took then
  if count >= tonumber(ARGV[3]) then
    if ARGV[8] == '1' then return line_up(uncalled) end
    return { 'busy', tonumber(took), 0 }
  end
else
  local rest = redis.call('HGET', P .. 'rest:' .. ARGV[1], 'until')
  local left = tonumber(rest or 0) - now
  if left > 0 and ARGV[6] ~= '1' then return line_up(left) end
  if count > 0 or redis.call('ZCARD', probes) >= tonumber(ARGV[4]) then return line_up(uncalled) end
end
if redis.call('ZCARD', all) >= tonumber(ARGV[7]) then return line_up(uncalled) end
if not took then redis.call('ZADD', probes, now + lease, ARGV[2]) end
redis.call('ZADD', inside, now + lease, ARGV[2])
redis.call('PEXPIRE', inside, lease)
redis.call('ZADD', all, now + lease, ARGV[2])
redis.call('ZREM', own, ARGV[2])
return { 'go', 0, 0 }
