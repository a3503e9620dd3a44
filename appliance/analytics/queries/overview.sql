-- Each form with its responses, how long they took and what the AI found them to feel like.
-- form_id: the form
-- title: its title
-- state: its state
-- responses: how many, of the time that is asked about
-- last: when the last one came
-- avg: mean completion time in seconds
-- analyzed: how many the AI was asked about
-- positive: of these
-- negative: of these
WITH counts AS (
    SELECT
        form_id,
        count(*) AS responses,
        max(created_at) AS last,
        avg(completion_time) AS avg
    FROM responses
    GROUP BY ALL
),
feelings AS (
    SELECT
        responses.form_id,
        count(*) AS analyzed,
        count(*) FILTER (sentiment = 'positive') AS positive,
        count(*) FILTER (sentiment = 'negative') AS negative
    FROM responses JOIN ai_results USING (response_id)
    GROUP BY ALL
)
SELECT
    form_id,
    title,
    state,
    coalesce(counts.responses, 0) AS responses,
    last,
    avg,
    coalesce(analyzed, 0) AS analyzed,
    coalesce(positive, 0) AS positive,
    coalesce(negative, 0) AS negative
FROM forms LEFT JOIN counts USING (form_id) LEFT JOIN feelings USING (form_id)
ORDER BY form_id
