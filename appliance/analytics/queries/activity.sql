-- Responses an hour, over all forms that are asked about.
-- hour:       the beginning of the hour, with the offset of the time zone that is asked for
-- responses:  how many came in it
SELECT
    date_trunc('hour', created_at) AS hour,
    count(*) AS responses
FROM responses
GROUP BY ALL
ORDER BY hour
