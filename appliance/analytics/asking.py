"""Asking the lake: a view of what may be seen, what came since the last run included, and a query over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa

from appliance.analytics import engine
from appliance.analytics.engine import Connection
from appliance.analytics.hot import text
from appliance.analytics.lake import Lake
from appliance.analytics.rows import DELETED, SCHEMA

SECONDS = 10.0
"""That a query may take."""
_COLUMNS = (
    "response_id, form_id, form_version, created_at, updated_at, completion_time, submitter, status, "
    "language, data, tags, source, revision"
)


class Scope(NamedTuple):
    """Of which forms (None: of all), from when and before when."""

    forms: Sequence[str] | None = None
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    time_zone: str = "UTC"


def ask(
    lake: Lake,
    sql: str,
    scope: Scope,
    fresh: pa.Table | None = None,
    *,
    seconds: float = SECONDS,
    most: int | None = None,
) -> list[dict[str, Any]]:
    """The rows, or the first `most`. `fresh` has responses as they are now, in place of what the lake says.

    Raises TooSlow.
    """
    with engine.opened(lake.folder, time_zone=scope.time_zone) as connection:
        with engine.deadline(connection, seconds):
            _view(connection, lake, scope, fresh)
            asked = connection.sql(sql)
            asked = asked if most is None else asked.limit(most)
            found: list[dict[str, Any]] = asked.to_arrow_table().to_pylist()
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def _view(connection: Connection, lake: Lake, scope: Scope, fresh: pa.Table | None) -> None:
    parts = []
    has_fresh = fresh is not None and fresh.num_rows
    if not lake.is_empty:
        kept = f"SELECT {_COLUMNS} FROM read_parquet({text(lake.pattern)}, union_by_name = true)"
        parts.append(f"{kept} WHERE {_within(scope)}")
        if has_fresh:
            parts[0] += " AND response_id NOT IN (SELECT response_id FROM fresh)"
    if has_fresh:
        connection.register("fresh", fresh)
        parts.append(f"SELECT {_COLUMNS} FROM fresh WHERE {_within(scope)} AND status <> {text(DELETED)}")
    if not parts:
        connection.register("fresh", SCHEMA.empty_table())
        parts.append(f"SELECT {_COLUMNS} FROM fresh")
    connection.execute(f"CREATE VIEW responses AS {' UNION ALL '.join(parts)}")


def _within(scope: Scope) -> str:
    terms = ["true"]
    if scope.forms is not None:
        terms.append(f"form_id IN ({', '.join(map(text, scope.forms)) or 'NULL'})")
    if scope.start is not None:
        terms.append(f"created_at >= TIMESTAMPTZ {text(scope.start.isoformat())}")
    if scope.end is not None:
        terms.append(f"created_at < TIMESTAMPTZ {text(scope.end.isoformat())}")
    return " AND ".join(terms)


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dt.date):  # a moment is one too
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
