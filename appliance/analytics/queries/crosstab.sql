-- Two questions against each other, of those who answered both.
-- $question (choice, choices, number, boolean): the one
-- $by (choice, choices, number, boolean): the other
-- answer: to the one
-- by_answer: to the other
-- responses: how many answered both so
-- share: what part of all with this answer to the other
WITH counts AS (
    SELECT answer, by_answer, CAST(sum(responses) AS BIGINT) AS responses FROM given GROUP BY answer, by_answer
)
SELECT answer, by_answer, responses, responses / sum(responses) OVER (PARTITION BY by_answer) AS share
FROM counts
ORDER BY by_answer, responses DESC, answer
