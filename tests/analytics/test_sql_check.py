"""One SELECT over the lake's tables, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from appliance.analytics import sql_check
from appliance.analytics.sql_check import NotAllowed
from tests.analytics import hostile

LAKE = "/var/lib/appliance/lake"
ALLOWED = [
    "SELECT 1;",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM T",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT * FROM a) SELECT * FROM b JOIN a USING (x)",
    "WITH responses AS (SELECT * FROM responses WHERE status = 'accepted') SELECT count(*) FROM responses",
    "SELECT title FROM Responses JOIN forms USING (form_id) LEFT JOIN ai_results USING (response_id)",
    "SELECT rank() OVER (ORDER BY count(*)) AS place FROM responses GROUP BY ALL QUALIFY place < 3",
    "SELECT * FROM (PIVOT responses ON status IN ('accepted') USING count(*))",
    "FROM responses SELECT COLUMNS('a.*')",
    "SELECT list_transform([1], lambda x: x + 1), [x + 1 FOR x IN [1, 2] IF x > 1], {'a': 1}.a, MAP {'a': 1}",
    "SELECT * EXCLUDE (data) REPLACE (1 AS tags) FROM responses TABLESAMPLE 10%",
    "SELECT DISTINCT ON (form_id) * FROM responses ORDER BY created_at LIMIT 3 OFFSET 2",
    "SELECT count(*) FILTER (WHERE status = 'x') FROM partials UNION SELECT count FROM activity",
    "SELECT * FROM range(10) r(n), LATERAL (SELECT n + 1)",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_select_over_the_tables_is_allowed(sql: str) -> None:
    sql_check.check(sql)


@pytest.mark.parametrize("one", hostile.read("refused", lake=LAKE), ids=lambda one: one.sql[:60])
def test_all_else_is_refused(one: hostile.Hostile) -> None:
    with pytest.raises(NotAllowed) as fault:
        sql_check.check(one.sql)
    assert one.words in str(fault.value)


@pytest.mark.parametrize("what", sorted(hostile.NESTED.keys() - hostile.BUSY))
def test_what_is_deep_or_long_is_refused(what: str) -> None:
    with pytest.raises(NotAllowed):
        sql_check.check(hostile.NESTED[what])


def test_a_refusal_says_where() -> None:
    with pytest.raises(NotAllowed, match=r"table nothing.*\(line 3, column 6\)"):
        sql_check.check("SELECT 'ä'\n-- é\nFROM nothing")


NAMES = st.sampled_from(["responses", "fresh", "FRESH", "a", "b", "freſh"])


def _with(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    source = NAMES | inner.map(lambda query: f"({query}) AS s")
    select = st.builds("SELECT * FROM {}".format, source)
    union = st.builds("({}) UNION ALL ({})".format, inner, inner)
    own = st.builds("{} AS ({})".format, NAMES.map('"{}"'.format), inner)
    recurring = st.sampled_from(["", "RECURSIVE "])
    listed = st.lists(own, min_size=1, max_size=3).map(", ".join)
    return select | union | st.builds("WITH {}{} {}".format, recurring, listed, select | union)


QUERIES = st.recursive(st.builds("SELECT * FROM {}".format, NAMES), _with, max_leaves=8)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """With a table that is none of the lake's."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE fresh AS SELECT 'SECRET' AS x")
        connection.execute("CREATE VIEW responses AS SELECT 'mine' AS x")
        yield connection


@settings(max_examples=150, deadline=None)
@given(QUERIES)
def test_what_is_allowed_reads_no_other_table(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Whatever names a statement gives to queries of its own, and wherever."""
    try:
        sql_check.check(sql)
    except NotAllowed:
        event("refused")
        return
    try:
        found = engine.execute(f"SELECT * FROM ({sql}) LIMIT 50").fetchall()
    except duckdb.Error:
        event("not answered")
        return
    event("answered")
    assert ("SECRET",) not in found
