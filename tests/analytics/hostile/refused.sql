-- What the check itself refuses. Each paragraph is a statement; what it is refused with stands before it.

-- The table function read_csv is not allowed
SELECT * FROM read_csv('/etc/passwd')

-- The table function read_csv_auto is not allowed
SELECT * FROM read_csv_auto('{lake}/state.json')

-- The table function read_parquet is not allowed
SELECT * FROM read_parquet('{lake}/responses/*/*.parquet')

-- The table function parquet_scan is not allowed
FROM parquet_scan('{lake}/responses/*/*.parquet')

-- The table function parquet_metadata is not allowed
SELECT * FROM parquet_metadata('{lake}/responses/*/*.parquet')

-- The table function read_text is not allowed
SELECT * FROM read_text('/etc/passwd')

-- The table function read_blob is not allowed
SELECT * FROM read_blob('/etc/passwd')

-- The table function read_json is not allowed
SELECT * FROM read_json('{lake}/state.json')

-- The table function read_text is not allowed
SELECT * FROM READ_TEXT('/etc/passwd')

-- The table function read_text is not allowed
SELECT * FROM "read_text"('/etc/passwd')

-- The table function read_text is not allowed
SELECT * FROM/**/read_text/* */('/etc/passwd')

-- The table function glob is not allowed
SELECT * FROM glob('/etc/*')

-- The table function sniff_csv is not allowed
SELECT * FROM sniff_csv('/etc/passwd')

-- The table function system.main.read_text is not allowed
SELECT * FROM system.main.read_text('/etc/passwd')

-- The table function arrow_scan is not allowed
SELECT * FROM arrow_scan(1, 2, 3)

-- The table function query is not allowed
SELECT * FROM query('SELECT * FROM read_text(''/etc/passwd'')')

-- The table function query_table is not allowed
SELECT * FROM query_table('duckdb_settings')

-- The table function duckdb_settings is not allowed
SELECT * FROM duckdb_settings()

-- The table function duckdb_secrets is not allowed
SELECT * FROM duckdb_secrets()

-- The table function duckdb_functions is not allowed
SELECT * FROM duckdb_functions()

-- The table function pragma_table_info is not allowed
SELECT * FROM pragma_table_info('responses')

-- The table function json_execute_serialized_sql is not allowed
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))

-- The table function which_secret is not allowed
SELECT * FROM which_secret('s3://x', 's3')

-- The table function seq_scan is not allowed
SELECT * FROM seq_scan('responses')

-- The table function repeat is not allowed
SELECT * FROM repeat('x', 1000000000)

-- There is no table /etc/passwd
SELECT * FROM '/etc/passwd'

-- There is no table {lake}/responses/*/*.parquet
SELECT * FROM '{lake}/responses/*/*.parquet'

-- There is no table https://example.org/x.parquet
SELECT * FROM 'https://example.org/x.parquet'

-- There is no table duckdb_settings
SELECT * FROM duckdb_settings

-- There is no table sqlite_master
SELECT * FROM sqlite_master

-- There is no table pg_catalog.pg_class
SELECT * FROM pg_catalog.pg_class

-- There is no table information_schema.tables
SELECT * FROM information_schema.tables

-- There is no table main.responses
SELECT * FROM main.responses

-- There is no table fresh
SELECT * FROM fresh

-- There is no table no_forms
SELECT * FROM no_forms

-- There is no table fresh
SELECT * FROM (WITH fresh AS (SELECT 1) SELECT * FROM fresh), fresh

-- There is no table {lake}/responses/x.parquet
SELECT * FROM (WITH "{lake}/responses/x.parquet" AS (SELECT 1) SELECT 1), '{lake}/responses/x.parquet'

-- There is no table duckdb_settings
WITH a AS (SELECT * FROM duckdb_settings), duckdb_settings AS (SELECT 1) SELECT * FROM a

-- There is no table duckdb_settings
WITH duckdb_settings AS (SELECT * FROM duckdb_settings) SELECT * FROM duckdb_settings

-- There is no table duckdb_settings
WITH RECURSIVE duckdb_settings AS (SELECT * FROM duckdb_settings) SELECT * FROM duckdb_settings

-- There is no table duckdb_settings
WITH "duckdb_ſettings" AS (SELECT 1) SELECT * FROM duckdb_settings

-- There is no table fresh
SELECT (SELECT count(*) FROM fresh) FROM responses

-- There is no table fresh
SELECT * FROM responses WHERE response_id IN (FROM fresh SELECT response_id)

-- There is no table fresh
SELECT * FROM (PIVOT fresh ON status IN ('deleted') USING count(*))

-- There is no table fresh
(SELECT 1) UNION ALL (SELECT 2 FROM fresh ORDER BY 1 LIMIT 1)

-- There is no table fresh
SELECT 1 LIMIT (SELECT count(*) FROM fresh)

-- There is no table fresh
SELECT list_transform([1], lambda x: (SELECT count(*) FROM fresh))

-- One SELECT is needed
COPY responses TO '/tmp/stolen.csv'

-- One SELECT is needed
COPY (SELECT 1) TO '{lake}/responses/date=2026-11-27/responses.parquet'

-- One SELECT is needed
COPY responses FROM '/etc/passwd'

-- One SELECT is needed
EXPORT DATABASE '{lake}/out'

-- One SELECT is needed
IMPORT DATABASE '{lake}/out'

-- One SELECT is needed
ATTACH '{lake}/evil.db' AS evil

-- One SELECT is needed
ATTACH 'host=127.0.0.1' AS pg (TYPE postgres)

-- One SELECT is needed
PRAGMA database_list

-- One SELECT is needed
PRAGMA enable_external_access

-- One SELECT is needed
SET memory_limit = '100GB'

-- One SELECT is needed
SET lock_configuration = false

-- One SELECT is needed
RESET memory_limit

-- One SELECT is needed
INSTALL httpfs

-- One SELECT is needed
LOAD httpfs

-- One SELECT is needed
FORCE INSTALL httpfs FROM 'http://127.0.0.1/'

-- One SELECT is needed
CREATE TABLE stolen AS SELECT * FROM responses

-- One SELECT is needed
CREATE OR REPLACE VIEW responses AS SELECT * FROM fresh

-- One SELECT is needed
CREATE MACRO peek() AS TABLE SELECT * FROM read_text('/etc/passwd')

-- One SELECT is needed
CREATE SECRET s (TYPE s3)

-- One SELECT is needed
CREATE TEMP TABLE t (x int)

-- One SELECT is needed
INSERT INTO responses VALUES (1)

-- One SELECT is needed
UPDATE responses SET data = 'x'

-- One SELECT is needed
DELETE FROM responses

-- One SELECT is needed
DROP VIEW responses

-- INSERT_QUERY_NODE is not allowed
WITH more AS (INSERT INTO responses SELECT * FROM responses RETURNING *) SELECT * FROM more

-- UPDATE_QUERY_NODE is not allowed
WITH other AS (UPDATE responses SET data = '' RETURNING *) SELECT * FROM other

-- COPY_QUERY_NODE is not allowed
WITH out AS (COPY responses TO '{lake}/x.parquet') SELECT * FROM out

-- DELETE_QUERY_NODE is not allowed
WITH gone AS (DELETE FROM responses RETURNING *) SELECT * FROM gone

-- One SELECT is needed
CALL pragma_version()

-- One SELECT is needed
EXPLAIN ANALYZE SELECT * FROM responses

-- One SELECT is needed
PREPARE p AS SELECT 1

-- One SELECT is needed
EXECUTE p

-- One SELECT is needed
BEGIN TRANSACTION

-- One SELECT is needed
CHECKPOINT

-- One SELECT is needed
VACUUM

-- One SELECT is needed
USE memory

-- One SELECT is needed
PIVOT responses ON status USING count(*)

-- several statements
SELECT 1; SELECT 2

-- several statements
SELECT 1 /* ; */ ; -- and so on
SELECT 2

-- One SELECT is needed
SELECT 1; COPY (SELECT 1) TO '/tmp/x'

-- DESCRIBE, SHOW and SUMMARIZE
SHOW TABLES

-- DESCRIBE, SHOW and SUMMARIZE
SELECT * FROM (SHOW ALL TABLES)

-- DESCRIBE, SHOW and SUMMARIZE
DESCRIBE responses

-- DESCRIBE, SHOW and SUMMARIZE
SELECT * FROM (DESCRIBE responses)

-- DESCRIBE, SHOW and SUMMARIZE
SUMMARIZE responses

-- DESCRIBE, SHOW and SUMMARIZE
SUMMARIZE '{lake}/responses/*/*.parquet'

-- The function getenv is not allowed
SELECT getenv('HOME')

-- The function current_setting is not allowed
SELECT current_setting('temp_directory')

-- The function getvariable is not allowed
SELECT getvariable('x')

-- The function nextval is not allowed
SELECT nextval('s')

-- The function version is not allowed
SELECT version()

-- The function current_database is not allowed
SELECT current_database()

-- The function read_text is not allowed
SELECT '/etc/passwd'.read_text()

-- The function main.abs is not allowed
SELECT main.abs(1)

-- The function json_serialize_sql is not allowed
SELECT json_serialize_sql('SELECT 1')

-- The function error is not allowed
SELECT error('x')

-- The function repeat is not allowed
SELECT repeat(repeat(repeat('x', 1000), 1000), 1000)

-- The function set_bit is not allowed
SELECT [x FOR x IN [set_bit('1'::BIT, 0, 1)]]

-- The function getenv is not allowed
SELECT count(*) FILTER (WHERE getenv('HOME') = '') OVER () FROM responses

-- The function getenv is not allowed
SELECT sum(1) OVER (ORDER BY getenv('HOME')) FROM responses

-- The function getenv is not allowed
SELECT * REPLACE (getenv('HOME') AS data) FROM responses

-- The function getenv is not allowed
SELECT COLUMNS(lambda c: getenv(c) = '') FROM responses

-- The function getenv is not allowed
SELECT 1 GROUP BY GROUPING SETS ((getenv('HOME')))

-- The function getenv is not allowed
VALUES (getenv('HOME'))

-- The function getenv is not allowed
SELECT DISTINCT ON (getenv('HOME')) 1

-- The function getenv is not allowed
SELECT string_agg('a', ',' ORDER BY getenv('HOME'))

-- The function getenv is not allowed
SELECT * FROM range(getenv('HOME')::int)

-- There is nothing to put in place of a parameter
SELECT $1

-- There is nothing to put in place of a parameter
SELECT * FROM responses WHERE form_id = ?

-- One SELECT is needed
SELECT * FROM responses WHERE form_id = 'x' OR '1'='1

-- There is no table ｒesponses
SELECT * FROM ｒesponses

-- One SELECT is needed
ＣＯＰＹ responses TO '/tmp/x'
