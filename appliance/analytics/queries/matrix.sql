-- What was answered in each row of a matrix.
-- $question (matrix): the question
-- row: the row; of a matrix with several questions a row, `row.question`
-- answer: the column, or what was chosen in the cell
-- responses: how many
-- share: what part of all answers in this row
WITH counts AS (
    SELECT row, answer, CAST(sum(responses) AS BIGINT) AS responses FROM cells GROUP BY row, answer
)
SELECT row, answer, responses, responses / sum(responses) OVER (PARTITION BY row) AS share
FROM counts
ORDER BY row, responses DESC, answer
