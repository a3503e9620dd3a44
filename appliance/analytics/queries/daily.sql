-- Responses a day and form, and how long it took to fill them in: count, average, median and 95th percentile.
-- form_id:  the form
-- date:     the day of submission, in UTC
-- total:    responses of that day, deleted ones not
-- avg:      mean completion time in seconds, of those whose time is known
-- p50:      its median
-- p95:      what 95 % stayed within
SELECT
    form_id,
    CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS date,
    count(*) AS total,
    avg(completion_time) AS avg,
    quantile_cont(completion_time, 0.5) AS p50,
    quantile_cont(completion_time, 0.95) AS p95
FROM responses
GROUP BY ALL
ORDER BY form_id, date
