-- Commit an attempt and claim the next task in one go: see `committing` and `claiming`. Returns what both answer.
-- ARGV: those of `commit`, then lease ms, 1 when an answer may have been lost, and in the order to look: queue, most at once
local done = commit()
return { done, take(ARGV[9], ARGV[12], ARGV[13], 14) }
