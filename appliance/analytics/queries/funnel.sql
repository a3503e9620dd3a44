-- What became of half-filled responses, by the day on which they were begun.
-- form_id: the form
-- date: the day, in the time zone that is asked for
-- begun: how many
-- submitted: of these
-- expired: of these, nobody came back for them
-- withdrawn: of these, taken back
-- open: of these, still
-- rate: what part was submitted
SELECT
    form_id,
    CAST(created_at AS DATE) AS date,
    count(*) AS begun,
    count(*) FILTER (state = 'submitted') AS submitted,
    count(*) FILTER (state = 'expired') AS expired,
    count(*) FILTER (state = 'withdrawn') AS withdrawn,
    count(*) FILTER (state = 'open') AS open,
    submitted / begun AS rate
FROM partials
GROUP BY ALL
ORDER BY form_id, date
