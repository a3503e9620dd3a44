"""Asking the lake: views of what may be seen, with what came since the last run, and a query over them."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

from appliance.analytics import answers, engine
from appliance.analytics.answers import Asked, Source
from appliance.analytics.engine import Connection
from appliance.analytics.hot import text
from appliance.analytics.lake import Lake
from appliance.analytics.rows import DELETED, SCHEMA
from appliance.analytics.tables import TABLES

SECONDS = 10.0
"""That a query may take."""
VIEWS: Final = frozenset({"responses", *TABLES})
_COLUMNS = (
    "response_id, form_id, form_version, created_at, updated_at, completion_time, submitter, status, "
    "language, data, tags, source, revision"
)


class Scope(NamedTuple):
    """Of which forms (None: of all), from when and before when, and whose activity (None: everybody's)."""

    forms: Sequence[str] | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    time_zone: str = "UTC"
    users: Sequence[str] | None = ()


def ask(
    lake: Lake,
    sql: str,
    scope: Scope,
    fresh: pa.Table | None = None,
    *,
    is_ours: bool = False,
    reads: Collection[str] = VIEWS,
    asked: Asked | None = None,
    parameters: Mapping[str, Any] | None = None,
    seconds: float = SECONDS,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """The rows, or the first `most`. `fresh` has responses as they are now, in place of what the lake says. A
    query that is ours (and nobody else's) is asked in the database at hand; `reads` has the views that it
    needs, `asked` the questions that it is about.

    Raises TooSlow.
    """
    opened = engine.at_hand if is_ours else engine.opened
    while True:
        files = _files(lake, scope)
        try:
            with (
                opened(lake.folder, time_zone=scope.time_zone) as connection,
                engine.deadline(connection, seconds),
            ):
                for name, view in _views(connection, lake, list(files), scope, fresh, reads, asked):
                    connection.execute(f"CREATE TEMP VIEW {name} AS {view}")
                return _rows(connection, sql, parameters, most)
        except (duckdb.Error, FileNotFoundError):
            if files == _files(lake, scope):
                raise
            # A run has written or taken away one of the files meanwhile.


def _rows(
    connection: Connection, sql: str, parameters: Mapping[str, Any] | None, most: int | None
) -> list[dict[str, Any]]:
    found = connection.sql(sql, params=dict(parameters)) if parameters else connection.sql(sql)
    found = found if most is None else found.limit(most)
    rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _files(lake: Lake, scope: Scope) -> dict[Path, int]:
    """Of the time that is asked about, and when each was written."""
    found = {}
    for period in lake.periods():
        if scope.start is not None and period.last < scope.start.astimezone(dt.UTC).date():
            continue
        if scope.end is not None and period.first > scope.end.astimezone(dt.UTC).date():
            continue
        file = lake.file(period)
        with contextlib.suppress(FileNotFoundError):  # taken away at this moment
            found[file] = file.stat().st_mtime_ns
    return found


def _views(
    connection: Connection,
    lake: Lake,
    files: list[Path],
    scope: Scope,
    fresh: pa.Table | None,
    reads: Collection[str],
    asked: Asked | None,
) -> list[tuple[str, str]]:
    found = [(name, _table(connection, lake, name, scope)) for name in TABLES if name in reads]
    sources = _sources(connection, files, scope, fresh, asked)
    if "responses" in reads:
        found.append(("responses", _responses(sources)))
    return found + (list(answers.views(asked, sources).items()) if asked else [])


def _sources(
    connection: Connection, files: list[Path], scope: Scope, fresh: pa.Table | None, asked: Asked | None
) -> list[Source]:
    within = _within(scope)
    fresh = SCHEMA.empty_table() if fresh is None else fresh
    connection.register("fresh", fresh)
    has_column = {file: asked is not None and answers.has(file, asked) for file in files}
    kept = within + (" AND response_id NOT IN (SELECT response_id FROM fresh)" if fresh.num_rows else "")
    found = [
        Source(f"read_parquet([{', '.join(text(str(file)) for file in some)}])", kept, is_typed)
        for is_typed in (True, False)
        if (some := [file for file in files if has_column[file] is is_typed])
    ]
    if fresh.num_rows or not found:
        found.append(Source("fresh", f"{within} AND status <> {text(DELETED)}"))
    return found


def _responses(sources: Sequence[Source]) -> str:
    return " UNION ALL ".join(f"SELECT {_COLUMNS} FROM {rows} WHERE {where}" for rows, where, _ in sources)


def _table(connection: Connection, lake: Lake, name: str, scope: Scope) -> str:
    """One of those beside `responses`, empty as long as no run has written it."""
    file = lake.table(name)
    rows = f"read_parquet({text(str(file))})"
    if not file.exists():
        rows = f"no_{name}"
        connection.register(rows, TABLES[name].empty_table())
    return f"SELECT {', '.join(TABLES[name].names)} FROM {rows} WHERE {_OF[name](scope)}"


def _within(scope: Scope) -> str:
    return f"{_of_forms(scope)} AND {_moments(scope)}"


def _of_forms(scope: Scope) -> str:
    return _among("form_id", scope.forms)


def _moments(scope: Scope) -> str:
    terms = ["true"]
    if scope.start is not None:
        terms.append(f"created_at >= TIMESTAMPTZ {text(scope.start.isoformat())}")
    if scope.end is not None:
        terms.append(f"created_at < TIMESTAMPTZ {text(scope.end.isoformat())}")
    return " AND ".join(terms)


def _dates(scope: Scope) -> str:
    """Days wholly or partly within."""
    terms = [_among("user_id", scope.users)]
    if scope.start is not None:
        terms.append(f"date >= DATE '{scope.start.astimezone(dt.UTC):%Y-%m-%d}'")
    if scope.end is not None:
        last = scope.end.astimezone(dt.UTC) - dt.timedelta(microseconds=1)
        terms.append(f"date <= DATE '{last:%Y-%m-%d}'")
    return " AND ".join(terms)


def _among(column: str, names: Sequence[str] | None) -> str:
    return "true" if names is None else f"{column} IN ({', '.join(map(text, names)) or 'NULL'})"


_OF: Final = {"forms": _of_forms, "partials": _within, "ai_results": _of_forms, "activity": _dates}
"""What is seen of each table. AI results have no time of submission: they are joined to `responses`."""


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dt.date):  # a moment is one too
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
