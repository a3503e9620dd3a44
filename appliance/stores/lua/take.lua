-- Take one token out of each bucket, or out of none.
-- Invariant: a bucket's value is the time (µs) at which it is full again, never more than its window ahead;
-- the key lives exactly as long as the bucket is not full, so a bucket that nobody uses costs nothing.
-- KEYS: buckets   ARGV: of each bucket its limit and its window (µs)
-- Returns of each bucket: whether it had a token, tokens left, µs until it has one, µs until it is full.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local buckets, all = {}, true
for i, key in ipairs(KEYS) do
  local window = tonumber(ARGV[2 * i])
  local cost = window / tonumber(ARGV[2 * i - 1])
  local full = tonumber(redis.call('GET', key) or now)
  full = math.min(math.max(full, now), now + window)
  -- Half a microsecond of grace: what is kept is rounded.
  local has = full + cost <= now + window + 0.5
  all = all and has
  buckets[i] = {window = window, cost = cost, full = full, has = has}
end
local answer = {}
for i, bucket in ipairs(buckets) do
  if all then
    bucket.full = bucket.full + bucket.cost
    redis.call('SET', KEYS[i], string.format('%.0f', bucket.full), 'PX', math.ceil((bucket.full - now) / 1000))
  end
  local left = math.floor((now + bucket.window - bucket.full + 0.5) / bucket.cost)
  local wait = math.max(0, bucket.full + bucket.cost - now - bucket.window)
  answer[i] = {bucket.has and 1 or 0, left, math.ceil(wait), math.ceil(bucket.full - now)}
end
return answer
