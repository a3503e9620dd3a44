-- Claim a task: see `claiming`.
-- ARGV: worker, lease ms, 1 when an answer may have been lost, then in the order to look: queue, most at once
return take(ARGV[1], ARGV[2], ARGV[3], 4)
