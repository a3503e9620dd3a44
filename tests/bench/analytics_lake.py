"""Questions to a lake that was made for it: the product, DuckDB by itself, pandas and Polars, in turn.

The rows are made by SQL, and written by what writes the days of a run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from appliance.analytics import answers, asking, days, hot, named, parquet
from appliance.analytics.answers import Asked, Source
from appliance.analytics.lake import Lake, day
from appliance.analytics.rows import LAKE
from appliance.analytics.tables import TABLES
from appliance.domain.form import compile_definition
from appliance.domain.survey_columns import survey_columns
from tests.bench import report
from tests.bench.sides import PEERS

DAYS = 30
FORMS = 50
RATIO = 1.3
"""Of the time that DuckDB alone takes for the same SQL over the same files, with as many threads."""
FIRST = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
LONGEST = 600.0

FLOWS: dict[str, tuple[str, float]] = {
    "simple": ("SELECT form_id, count(*) AS n FROM responses GROUP BY ALL ORDER BY ALL", 50),
    "join": (
        (
            "SELECT title, sentiment, count(*) AS n FROM responses JOIN forms USING (form_id) "
            "JOIN ai_results USING (response_id) GROUP BY ALL ORDER BY ALL"
        ),
        200,
    ),
    "window": (
        (
            "SELECT form_id, date, n, sum(n) OVER (PARTITION BY form_id ORDER BY date) AS running FROM "
            "(SELECT form_id, CAST(make_timestamp(epoch_us(created_at)) AS DATE) AS date, count(*) AS n "
            "FROM responses GROUP BY ALL) ORDER BY ALL"
        ),
        100,
    ),
    "scan": (
        (
            "SELECT count(*) FILTER (WHERE contains(data, 'music')) AS n, avg(completion_time) AS mean "
            "FROM responses"
        ),
        500,
    ),
}
"""The flows' kinds of questions, and their limits in milliseconds for 1M responses."""

DEFINITION: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "name"},
        {"type": "text", "name": "age", "inputType": "number"},
        {"type": "radiogroup", "name": "city", "choices": [f"City {number}" for number in range(10)]},
        {"type": "checkbox", "name": "likes", "choices": ["tea", "water"]},
        {"type": "boolean", "name": "again"},
        {"type": "rating", "name": "score", "rateMin": 0, "rateMax": 10},
        {"type": "matrix", "name": "quality", "rows": ["food", "service"], "columns": ["good", "bad"]},
        {"type": "comment", "name": "words"},
    ]
}
"""Of every form, so that each named query finds a question."""
_COLUMNS = survey_columns(compile_definition(DEFINITION))
_QUESTIONS = {
    "choices": ("likes",), "booleans": ("again",), "numbers": ("age",), "histogram": ("age",),
    "ratings": ("score",), "nps": ("score",), "matrix": ("quality",), "crosstab": ("city", "again"),
}  # fmt: skip

_VIEWS = ("answers", "given", "cells", "declared")

Json = dict[str, Any]


class Question(NamedTuple):
    sql: str
    reads: frozenset[str]
    asked: Asked | None = None
    parameters: dict[str, Any] | None = None


Ask = Callable[[Question], Any]


def make(folder: Path, rows: int, analyzed: int) -> Lake:
    """A lake of so many responses of 50 forms over 30 days, of which so many have AI results."""
    lake = Lake(folder)
    with duckdb.connect(config={"threads": 2}) as connection:
        for place in range(DAYS):
            moment = FIRST + dt.timedelta(days=place)
            path = lake.file(day(moment.date()))
            path.parent.mkdir(parents=True)
            count = rows // DAYS + (place < rows % DAYS)
            made = _DAY.format(place=place, count=count, day=moment.isoformat())
            often = days.often_in(connection, made)
            tables = parquet.tables(connection.cursor().sql(made), LAKE)  # the other one makes typed columns
            days.copy(connection, tables, dict.fromkeys(often, hot.columns(_COLUMNS)), path)
        ids = f"SELECT response_id, form_id, created_at FROM read_parquet('{lake.pattern}') LIMIT {analyzed}"
        moods = "['positive', 'neutral', 'negative', 'unsure'][(1 + hash(response_id) % 4)::BIGINT]"
        results = connection.sql(
            f"SELECT response_id, form_id, {moods} AS sentiment, 0.5::DOUBLE AS confidence, "
            f"'en' AS language, []::VARCHAR[] AS categories, created_at AS analyzed_at FROM ({ids})"
        ).to_arrow_table()
    _put(lake, "ai_results", results)
    forms = [
        dict.fromkeys(TABLES["forms"].names) | {"form_id": _form(number), "title": f"Form {number}"}
        for number in range(FORMS)
    ]
    _put(lake, "forms", pa.Table.from_pylist(forms, TABLES["forms"]))
    with duckdb.connect() as connection:
        for name, sql in (("partials", _PARTIALS), ("activity", _ACTIVITY)):
            made = connection.sql(sql.format(rows=rows // 10)).to_arrow_table()
            _put(lake, name, made)
    return lake


def _form(number: int) -> str:
    return f"0198a5d2-0000-7000-8000-{number:012d}"


def _put(lake: Lake, name: str, made: pa.Table) -> None:
    """What was not made of its columns is null."""
    columns = [
        made[field.name].cast(field.type, safe=False)
        if field.name in made.column_names
        else pa.nulls(made.num_rows, field.type)
        for field in TABLES[name]
    ]
    table = pa.Table.from_arrays(columns, schema=TABLES[name])
    path = lake.folder / name / f"{name}.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(table, path, compression="zstd", compression_level=1)


_DAY = """
SELECT
    format('0198a5d2-{{:04x}}-7000-8000-{{:012d}}', {place}, i) AS response_id,
    format('0198a5d2-0000-7000-8000-{{:012d}}', hash(i) % 50) AS form_id,
    1::INTEGER AS form_version,
    TIMESTAMPTZ '{day}' + to_milliseconds(i * 86400000 // {count}) AS created_at,
    created_at AS updated_at,
    (hash(i + 1) % 30000) / 100.0::DOUBLE AS completion_time,
    CASE WHEN i % 3 = 0 THEN format('user-{{:04d}}', hash(i + 11) % 500) END AS submitter,
    CASE WHEN i % 20 = 0 THEN 'flagged' ELSE 'accepted' END AS status,
    'en' AS language,
    format('{{{{"name":"A{{}}","age":{{}},"city":"City {{}}","likes":{{}},"again":{{}},"score":{{}},' ||
        '"quality":{{{{"food":"{{}}","service":"bad"}}}},' ||
        '"words":"the staff was kind but we waited {{}} music too loud {{}}"}}}}',
        hash(i + 2) % 10000, 16 + hash(i + 3) % 80, hash(i + 4) % 10,
        ['["tea"]', '["tea","water"]', '[]'][(1 + hash(i + 8) % 3)::BIGINT], hash(i + 9) % 2 = 0,
        hash(i + 5) % 11, ['good', 'bad'][(1 + hash(i + 10) % 2)::BIGINT], hash(i + 6), hash(i + 7)) AS data,
    []::VARCHAR[] AS tags,
    NULL::VARCHAR AS source,
    i AS seq,
    1::INTEGER AS revision
FROM range({count}) AS t(i)
ORDER BY form_id, created_at, response_id
"""

_PARTIALS = """
SELECT
    format('0198a5d3-0000-7000-8000-{{:012d}}', i) AS partial_id,
    format('0198a5d2-0000-7000-8000-{{:012d}}', i % 50) AS form_id,
    1::INTEGER AS form_version,
    ['open', 'submitted', 'expired'][1 + i % 3] AS state,
    format('page {{}}', 1 + i % 4) AS page,
    TIMESTAMPTZ '2026-10-01 00:00:00+00' + to_seconds(i % 2592000) AS created_at,
    created_at AS updated_at
FROM range({rows}) AS t(i)
ORDER BY form_id
"""
_ACTIVITY = """
SELECT
    format('user-{{:04d}}', i // 150) AS user_id,
    DATE '2026-10-01' + (i % 30)::INTEGER AS date,
    ['form.created', 'form.published', 'response.submitted', 'auth.login', 'export'][1 + i % 5] AS action,
    1 + i % 7 AS count
FROM range(least({rows}, 150000)) AS t(i)
ORDER BY user_id
"""


def measure(lake: Lake, rounds: int, questions: dict[str, Question]) -> dict[str, Json]:
    """By question and side: milliseconds, the median of so many rounds; and whether the sides agree."""
    found: dict[str, Json] = {}
    with contextlib.ExitStack() as stack:
        peers = {
            name: stack.enter_context(peer(name, lake.folder))
            for name in ("pandas", "polars")
            if _has_peers()
        }
        one, all_cpus = (stack.enter_context(_duckdb(lake, threads)) for threads in (1, None))
        sides: dict[str, Ask] = {"product": _product(lake), "DuckDB": one, "DuckDB, all CPUs": all_cpus}
        for name, question in questions.items():
            times: dict[str, list[float]] = {side: [] for side in (*sides, *peers)}
            told_by = {}
            for _ in range(rounds):
                for side, ask in sides.items():
                    begun = time.monotonic()
                    told_by[side] = ask(question)
                    times[side].append(time.monotonic() - begun)
                for side, asked in peers.items():
                    if told := asked(name):
                        times[side].append(told["seconds"])
                        assert told["rows"] == len(told_by["product"]), (side, name, told)
            assert told_by["product"] and _agree(told_by["product"], told_by["DuckDB"]), name
            found[name] = {
                side: round(report.quantile(taken, 0.5) * 1000, 1) for side, taken in times.items() if taken
            }
    return found


def _product(lake: Lake) -> Ask:
    """As the API asks a named query that is not in Redis."""

    def ask(one: Question) -> list[Json]:
        scope = asking.Scope(users=None, forms=[one.asked.form_id] if one.asked else None)
        return asking.ask(
            lake, one.sql, scope, is_ours=True, reads=one.reads, seconds=LONGEST, asked=one.asked,
            parameters=one.parameters,
        )  # fmt: skip

    return ask


@contextmanager
def _duckdb(lake: Lake, threads: int | None) -> Iterator[Ask]:
    """By somebody who has nothing but DuckDB and the files, in a session that is open already."""
    config: dict[str, Any] = {} if threads is None else {"threads": threads}
    with duckdb.connect(config=config) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = f"read_parquet('{lake.pattern}', union_by_name = true)"
        connection.execute(f"CREATE VIEW responses AS SELECT * FROM {rows}")
        for name in TABLES:
            file = lake.folder / name / f"{name}.parquet"
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{file}')")
        for asked in _every_asked():
            is_typed = all(answers.has(lake.file(period), asked) for period in lake.periods())
            source = Source("responses", f"form_id = '{asked.form_id}'", is_typed)
            views = answers.views(asked, [source])
            for view, sql in views.items():
                connection.execute(f"CREATE VIEW {_view(asked, view)} AS {_named(asked, sql, views)}")

        def ask(one: Question) -> list[Json]:
            sql = (
                _named(one.asked, one.sql, ("answers", "given", "cells", "declared"))
                if one.asked
                else one.sql
            )
            found = connection.sql(sql, params=one.parameters) if one.parameters else connection.sql(sql)
            rows = found.to_arrow_table().to_pylist()
            return [{name: _plain(value) for name, value in row.items()} for row in rows]

        yield ask


def _every_asked() -> list[Asked]:
    return [_asked(names) for names in sorted(set(_QUESTIONS.values()))]


def _asked(names: Sequence[str]) -> Asked:
    known = answers.questions(_COLUMNS)
    mark = hot.fingerprint(hot.columns(_COLUMNS))
    return Asked(_form(0), mark, tuple(known[name] for name in names))


def _view(asked: Asked, name: str) -> str:
    return "_".join((name, *(question.name for question in asked.questions)))


def _named(asked: Asked, sql: str, views: Iterable[str]) -> str:
    """With views that are this question's."""
    for name in views:
        sql = re.sub(rf"\b(FROM|JOIN) {name}\b", rf"\1 {_view(asked, name)}", sql)
    return sql


def _plain(value: Any) -> Any:
    """As the product's answers have it."""
    if isinstance(value, dt.date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _agree(one: list[Json], other: list[Json]) -> bool:
    """But for the last digits of sums, whose order is open."""
    return len(one) == len(other) and all(
        a.keys() == b.keys() and all(map(_same, a.values(), b.values()))
        for a, b in zip(one, other, strict=True)
    )


def _same(one: Any, other: Any) -> bool:
    is_close = isinstance(one, float) and isinstance(other, float)
    return math.isclose(one, other, rel_tol=1e-9) if is_close else bool(one == other)


def _has_peers() -> bool:
    return (PEERS / "python").exists()


@contextmanager
def peer(name: str, lake: Path) -> Iterator[Callable[[str], Json | None]]:
    """Asks it a question; None for one that it was not taught."""
    script = Path(__file__).with_name("peers") / "frames.py"
    known = script.read_text()
    child = subprocess.Popen(
        [PEERS / "python", script, name, lake], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    stdin, stdout = child.stdin, child.stdout
    try:
        assert stdout.readline() == "ready\n", name

        def ask(question: str) -> Json | None:
            if f"def {question}(" not in known:
                return None
            stdin.write(f"{question}\n")
            stdin.flush()
            told: Json = json.loads(stdout.readline())
            return told

        yield ask
    finally:
        child.terminate()
        child.wait()
        stdin.close()
        stdout.close()


def flows_questions() -> dict[str, Question]:
    return {
        name: Question(sql, frozenset(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", sql)))
        for name, (sql, _) in FLOWS.items()
    }


def named_questions() -> dict[str, Question]:
    """All named queries, with their usual parameters."""
    found = {}
    for name, query in named.queries().items():
        given = {
            one.name: one.value(None) for one in query.parameters if one.name not in named.QUESTIONS
        } or None
        asked = _asked(_QUESTIONS[name]) if name in _QUESTIONS else None
        found[name] = Question(query.sql, query.reads, asked, given)
    return found
