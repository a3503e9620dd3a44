-- Responses a form and day, with all up to then and the average of the last 7 days.
-- form_id: the form
-- date: a day on which responses came, in the time zone that is asked for
-- responses: how many
-- total: how many up to and on that day, of those asked about
-- average: a day's mean over it and the 6 days before; days without any count
WITH quarters AS (  -- each is of one day in any time zone, and there are few to ask the zone about
    SELECT form_id, epoch_us(created_at) // 900_000_000 AS quarter, count(*) AS responses
    FROM responses
    GROUP BY ALL
),
days AS (
    SELECT
        form_id,
        CAST(make_timestamptz(quarter * 900_000_000) AS DATE) AS date,
        CAST(sum(responses) AS BIGINT) AS responses
    FROM quarters
    GROUP BY ALL
)
SELECT
    form_id,
    date,
    responses,
    CAST(sum(responses) OVER (PARTITION BY form_id ORDER BY date) AS BIGINT) AS total,
    sum(responses) OVER (
        PARTITION BY form_id ORDER BY date RANGE BETWEEN INTERVAL 6 DAYS PRECEDING AND CURRENT ROW
    ) / 7 AS average
FROM days
ORDER BY form_id, date
