-- Count one more failure in a row, and say until when nothing is to be tried.
-- Invariant: `until` never goes back while failures go on; the whole is forgotten `forget` seconds after the last.
-- KEYS: failures   ARGV: how many are free, seconds of the first wait, seconds at most, forget
local clock = redis.call('TIME')
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local over = failures - tonumber(ARGV[1])
if over >= 0 then
  local wait = math.min(tonumber(ARGV[2]) * 2 ^ math.min(over, 20), tonumber(ARGV[3]))
  redis.call('HSET', KEYS[1], 'until', clock[1] + wait)
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return failures
