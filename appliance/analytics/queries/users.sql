-- What each user did, as the audit log and the responses have it: admins see all, others themselves.
-- user_id: the user
-- action: what was done
-- count: how often
-- days: on how many days (UTC)
-- first: the first of these
-- last: the last of these
SELECT
    user_id,
    action,
    CAST(sum(count) AS BIGINT) AS count,
    count(DISTINCT date) AS days,
    min(date) AS first,
    max(date) AS last
FROM activity
GROUP BY ALL
ORDER BY user_id, action
