-- How often each rate was given.
-- $question (number, choice): the question
-- rating: the rate
-- responses: how many gave it
-- share: what part of all
-- mean: the average of all, the same in each row
WITH numbers AS (SELECT TRY_CAST(answer AS DOUBLE) AS rating, responses FROM given),
counts AS (
    SELECT rating, CAST(sum(responses) AS BIGINT) AS responses
    FROM numbers
    GROUP BY rating
    HAVING count(rating) > 0
)
SELECT
    rating,
    responses,
    responses / sum(responses) OVER () AS share,
    sum(rating * responses) OVER () / sum(responses) OVER () AS mean
FROM counts
ORDER BY rating
