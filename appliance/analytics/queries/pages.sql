-- Where people stop: half-filled responses that were not submitted, by the page they were on.
-- form_id: the form
-- page: its name or number, as the client said; null where it said none
-- stopped: how many stopped there
-- open: how many of these may still come back
-- share: of all that were begun or submitted, what part stopped there
-- completion: of all that were begun or submitted, what part was submitted; the same for each page of a form
WITH stops AS (
    SELECT form_id, page, count(*) AS stopped, count(*) FILTER (state = 'open') AS open
    FROM partials
    WHERE state <> 'submitted'
    GROUP BY ALL
),
done AS (SELECT form_id, count(*) AS submitted FROM responses GROUP BY ALL),
both_of AS (
    SELECT
        form_id,
        page,
        coalesce(stopped, 0) AS stopped,
        coalesce(open, 0) AS open,
        coalesce(submitted, 0) AS submitted,
        coalesce(submitted, 0) + sum(coalesce(stopped, 0)) OVER (PARTITION BY form_id) AS every
    FROM stops FULL JOIN done USING (form_id)
)
SELECT
    form_id,
    page,
    stopped,
    open,
    stopped / every AS share,
    submitted / every AS completion
FROM both_of
ORDER BY form_id, stopped DESC, page
