-- What the AI found responses to feel like, over time; only those that it was asked about.
-- $period (day, week, month; day): how long a period is; weeks begin on Monday
-- form_id: the form
-- date: the first day of the period in which they were submitted
-- analyzed: how many
-- positive: of these
-- neutral: of these
-- negative: of these
-- unsure: of these
-- balance: positive less negative, of 1
SELECT
    responses.form_id,
    CAST(date_trunc($period, responses.created_at) AS DATE) AS date,
    count(*) AS analyzed,
    count(*) FILTER (sentiment = 'positive') AS positive,
    count(*) FILTER (sentiment = 'neutral') AS neutral,
    count(*) FILTER (sentiment = 'negative') AS negative,
    count(*) FILTER (sentiment = 'unsure') AS unsure,
    (positive - negative) / analyzed AS balance
FROM responses JOIN ai_results USING (response_id)
GROUP BY ALL
ORDER BY 1, 2
