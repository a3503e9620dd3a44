-- Put a task on its queue unless Redis knows its id.
-- Invariant: an id is on a queue only together with its mark, so a second send within the mark's life is a no-op.
-- KEYS: mark, queue   ARGV: message, seconds that the mark lives
if redis.call('SET', KEYS[1], 1, 'NX', 'EX', ARGV[2]) then
  redis.call('LPUSH', KEYS[2], ARGV[1])
  return 1
end
return 0
