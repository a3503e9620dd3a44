-- What numbers were given.
-- $question (number, choice): the question; what is no number counts as missing
-- answered: how many
-- missing: responses without one
-- min: the least
-- max: the greatest
-- mean: the average
-- p25: the first quartile
-- p50: the median
-- p75: the third quartile
WITH said AS (SELECT TRY_CAST(answer AS DOUBLE) AS number FROM answers),
numbers AS (SELECT IF(isfinite(number), number, NULL) AS number FROM said),
found AS (
    SELECT
        count(number) AS answered,
        count(*) - count(number) AS missing,
        min(number) AS min,
        max(number) AS max,
        avg(number) AS mean,
        quantile_cont(number, [0.25, 0.5, 0.75]) AS quartiles
    FROM numbers
)
SELECT answered, missing, min, max, mean, quartiles[1] AS p25, quartiles[2] AS p50, quartiles[3] AS p75
FROM found
