-- Responses a form by their status.
-- form_id:    the form
-- status:     accepted, flagged or archived
-- responses:  how many have it
SELECT form_id, status, count(*) AS responses
FROM responses
GROUP BY ALL
ORDER BY form_id, status
