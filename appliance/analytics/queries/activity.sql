-- Responses an hour, over all forms that are asked about.
-- hour:       the beginning of the hour, with the offset of the time zone that is asked for
-- responses:  how many came in it
WITH quarters AS (  -- each is of one hour in any time zone, and there are few to ask the zone about
    SELECT
        make_timestamptz(epoch_us(created_at) // 900_000_000 * 900_000_000) AS quarter,
        count(*) AS responses
    FROM responses
    GROUP BY ALL
)
SELECT
    quarter - to_minutes(date_part('minute', quarter)) AS hour,  -- date_trunc makes one of the two when clocks go back
    CAST(sum(responses) AS BIGINT) AS responses
FROM quarters
GROUP BY ALL
ORDER BY hour
