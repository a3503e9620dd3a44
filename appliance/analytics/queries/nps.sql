-- Net promoter score of a question that is answered with 0 to 10.
-- $question (number, choice): the question; other numbers are left out
-- answered: how many
-- promoters: gave 9 or 10
-- passives: gave 7 or 8
-- detractors: gave 0 to 6
-- score: promoters less detractors, of 100 that answered
WITH numbers AS (SELECT TRY_CAST(answer AS DOUBLE) AS number, responses FROM given),
counts AS (
    SELECT
        CAST(coalesce(sum(responses) FILTER (number BETWEEN 0 AND 10), 0) AS BIGINT) AS answered,
        CAST(coalesce(sum(responses) FILTER (number >= 9 AND number <= 10), 0) AS BIGINT) AS promoters,
        CAST(coalesce(sum(responses) FILTER (number >= 7 AND number < 9), 0) AS BIGINT) AS passives,
        CAST(coalesce(sum(responses) FILTER (number >= 0 AND number < 7), 0) AS BIGINT) AS detractors
    FROM numbers
)
SELECT *, 100 * (promoters - detractors) / nullif(answered, 0) AS score FROM counts
