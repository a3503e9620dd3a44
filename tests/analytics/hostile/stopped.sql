-- What is a SELECT, and is stopped within its limits. What it is stopped with stands before each; the first
-- ones take the whole time that a statement may have; of two limits, a busy machine meets either one first.

-- longer than
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t

-- longer than
SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7

-- longer than
SELECT sum(levenshtein(a.x, b.x)) FROM (SELECT hash(range)::VARCHAR x FROM range(30000)) a, (SELECT hash(range)::VARCHAR x FROM range(30000)) b

-- memory | longer than
WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t, range(10)) SELECT count(*) FROM t

-- memory | longer than
SELECT list(a.range) FROM range(1000000000) a

-- memory | longer than
SELECT count(*) FROM range(1000000000) a, range(1000000000) b

-- memory | longer than
SELECT hash(range) h, count(*) n FROM range(1000000000) GROUP BY h ORDER BY n

-- memory | longer than
SELECT max(x), max(n) FROM (SELECT hash(range)::VARCHAR x, row_number() OVER (ORDER BY hash(range)) n FROM range(1000000000))

-- memory | longer than
SELECT string_agg(lpad(range::VARCHAR, 100000, 'x'), '') FROM range(1000000)

-- Lists larger than
SELECT range(10000000000)

-- memory | longer than
SELECT length(lpad('x', 2147483647, 'y')), length(lpad('x', 2147483647, 'z'))

-- memory | longer than
SELECT sum(len(list_transform(range(100000000), lambda x: x::VARCHAR)))

-- memory | longer than
SELECT histogram(hash(range)) FROM range(100000000)

-- MiB; ask for fewer
SELECT lpad('x', 10000, 'y') FROM range(9000)

-- repetition size
SELECT regexp_matches('a', '((((a{1,100}){1,100}){1,100}){1,100})')

-- nothing_like_it
SELECT nothing_like_it FROM responses

-- Could not convert
SELECT 'x'::INT
