-- One more that waits for the model, if there are fewer than may wait.
-- Invariant: at most ARGV[2] are in; whoever does not say in time that it still waits is out.
-- KEYS: those who wait, by when they are out   ARGV: who, how many may, ms that it is in
-- Returns 1 when it is in, also when it was.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
