-- Yes or no.
-- $question (boolean): the question
-- yes: how many
-- no: how many
-- missing: responses without an answer
-- share: of yes among the answers
SELECT
    count(*) FILTER (answer) AS yes,
    count(*) FILTER (NOT answer) AS no,
    count(*) - count(answer) AS missing,
    yes / nullif(yes + no, 0) AS share
FROM answers
