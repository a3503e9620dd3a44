-- How the numbers spread: as many ranges of equal width as are asked for, from the least to the greatest.
-- $question (number, choice): the question
-- $bins (1..100; 10): how many ranges
-- low: where the range begins
-- high: where it ends; what is just there belongs to the next one, but for the last
-- responses: how many
WITH said AS (SELECT TRY_CAST(answer AS DOUBLE) AS number FROM answers),
numbers AS (SELECT IF(isfinite(number), number, NULL) AS number FROM said),
bounds AS (
    SELECT least, greatest, IF(greatest > least, $bins, 1) AS bins, (greatest - least) / bins AS width
    FROM (SELECT min(number) AS least, max(number) AS greatest FROM numbers)
    WHERE least IS NOT NULL
),
counts AS (
    SELECT CAST(least(floor((number - least) / nullif(width, 0)), bins - 1) AS BIGINT) AS bin, count(*) AS taken
    FROM numbers CROSS JOIN bounds
    WHERE number IS NOT NULL
    GROUP BY ALL
)
SELECT
    least + range * width AS low,
    IF(range = bins - 1, greatest, least + (range + 1) * width) AS high,
    coalesce(taken, 0) AS responses
FROM bounds CROSS JOIN range(100) LEFT JOIN counts ON coalesce(bin, 0) = range
WHERE range < bins
ORDER BY range
