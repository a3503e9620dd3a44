-- How often each choice was taken, also those that nobody took.
-- $question (choice, choices, number, boolean): the question
-- answer: the choice
-- responses: how many took it
-- share: what part of those who answered; with several choices, parts add up to more than 1
WITH counts AS (SELECT answer, sum(responses) AS taken, max(answered) AS people FROM given GROUP BY answer)
SELECT
    answer,
    CAST(coalesce(taken, 0) AS BIGINT) AS responses,
    coalesce(taken, 0) / max(people) OVER () AS share
FROM counts FULL JOIN declared USING (answer)
ORDER BY responses DESC, answer
