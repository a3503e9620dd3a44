-- Who came back: people who were signed in, by when they first submitted and when they did again.
-- $period (day, week, month; week): how long a period is; weeks begin on Monday
-- cohort: the first day of the period in which they first submitted, of what is asked about
-- period: the first day of one in which they submitted
-- people: how many of the cohort did
-- share: what part of the cohort
WITH came AS (
    SELECT DISTINCT submitter, CAST(date_trunc($period, created_at) AS DATE) AS period
    FROM responses
    WHERE submitter IS NOT NULL
),
firsts AS (SELECT submitter, min(period) AS cohort FROM came GROUP BY submitter),
counts AS (SELECT cohort, period, count(*) AS people FROM came JOIN firsts USING (submitter) GROUP BY ALL)
SELECT cohort, period, people, people / first_value(people) OVER (PARTITION BY cohort ORDER BY period) AS share
FROM counts
ORDER BY cohort, period
