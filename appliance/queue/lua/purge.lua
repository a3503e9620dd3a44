-- Cancel what waits on a queue, oldest first. Returns how many ids were taken off its list: 0 is the end.
-- Invariant: as `cancel`; what runs is left alone.
-- ARGV: queue, most
local taken = 0
while taken < tonumber(ARGV[2]) do
  local id = redis.call('RPOP', P .. 'list:' .. ARGV[1])
  if not id then break end
  taken = taken + 1
  if redis.call('HGET', task_key(id), 'state') == 'queued' then finish(id, ARGV[1], 'cancelled', 0) end
end
return taken
