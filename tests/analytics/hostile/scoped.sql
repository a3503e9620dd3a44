-- Statements that want to see rows of others: refused, or answered without them.

SELECT * FROM responses

SELECT * FROM responses WHERE form_id = '{form}'

SELECT * FROM responses WHERE form_id = '{form}' OR true

SELECT * FROM responses WHERE response_id IN ('{response}')

WITH responses AS (SELECT * FROM responses) SELECT * FROM responses

WITH responses AS (SELECT * FROM fresh) SELECT * FROM responses

WITH fresh AS (SELECT 1) SELECT * FROM (SELECT * FROM fresh), responses

SELECT * FROM (WITH fresh AS (SELECT 1) SELECT 1), fresh

SELECT r.* FROM responses r FULL OUTER JOIN (VALUES ('{form}')) v(form_id) USING (form_id)

SELECT form_id, count(*) FROM responses GROUP BY ROLLUP (form_id)

SELECT * FROM responses WHERE status = 'deleted'

SELECT * FROM '{lake}/responses/*/*.parquet'

SELECT * FROM (WITH "{lake}/responses/*/*.parquet" AS (SELECT 1) SELECT 1), '{lake}/responses/*/*.parquet'

SELECT * FROM responses WHERE CAST(data->>'$.words' AS INT) > 0

SELECT * FROM responses WHERE regexp_matches('a', data->>'$.words')

SELECT * FROM responses WHERE date_part(data->>'$.words', created_at) > 0

SELECT * FROM responses WHERE json_extract('{}', data->>'$.words') IS NULL

SELECT * FROM responses WHERE strptime(data->>'$.words', '%Y') IS NOT NULL

SELECT * FROM responses WHERE map([data, data], [1, 2]) IS NOT NULL

SELECT count(*) FROM responses WHERE 1 // (CASE WHEN data LIKE '%SECRET%' THEN 0 ELSE 1 END) >= 0

SELECT * FROM responses ORDER BY CAST(data AS INT)

SELECT * FROM responses QUALIFY rank() OVER (ORDER BY data) >= 0

SELECT max(data), arg_max(data, seq) FROM responses

SELECT * FROM responses POSITIONAL JOIN responses AS other

SELECT * FROM responses TABLESAMPLE 100%

FROM responses SELECT COLUMNS('.*')

SELECT * FROM responses AT (VERSION => 0)

SELECT rowid, filename, * FROM responses

SELECT responses FROM responses

TABLE responses

SELECT * FROM forms

SELECT * FROM forms WHERE form_id = '{form}'

SELECT * FROM partials

SELECT * FROM ai_results

SELECT * FROM activity

SELECT r.*, a.* FROM responses r FULL OUTER JOIN ai_results a USING (response_id)

SELECT * FROM (PIVOT responses ON form_id IN ('{form}') USING first(data))

UNPIVOT responses ON data, status

SELECT (SELECT string_agg(data, ' ') FROM responses)
