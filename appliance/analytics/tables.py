"""The lake's tables beside `responses`: what each holds, and where it lies.

Each is a Parquet file of its own, sorted by form (`activity`: by user), and written anew as a whole by each
run that finds it changed. A table that is not there yet is empty.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from appliance.analytics import parquet
from appliance.analytics.engine import Connection
from appliance.analytics.hot import text
from appliance.analytics.lake import Lake, publishing

FORMS: Final = pa.schema(
    [
        ("form_id", pa.string()),
        ("title", pa.string()),
        ("state", pa.string()),
        ("owner", pa.string()),
        ("time_zone", pa.string()),
        ("created_at", pa.timestamp("ms", "UTC")),
        ("version", pa.int32()),  # the published one; 0 for none
        ("responses", pa.int64()),  # that are in the lake
        ("last_response_at", pa.timestamp("ms", "UTC")),
    ]
)
PARTIALS: Final = pa.schema(
    [
        ("partial_id", pa.string()),
        ("form_id", pa.string()),
        ("form_version", pa.int32()),
        ("state", pa.string()),  # open, submitted, expired, withdrawn
        ("page", pa.string()),  # its name or number, as the client said when it left; null where it said none
        ("created_at", pa.timestamp("ms", "UTC")),
        ("updated_at", pa.timestamp("ms", "UTC")),
        ("ended_at", pa.timestamp("ms", "UTC")),  # null while it is open
    ]
)
AI_RESULTS: Final = pa.schema(
    [
        ("response_id", pa.string()),
        ("form_id", pa.string()),
        ("sentiment", pa.string()),  # positive, neutral, negative, unsure
        ("confidence", pa.float64()),
        ("language", pa.string()),
        ("categories", pa.list_(pa.string())),
        ("analyzed_at", pa.timestamp("ms", "UTC")),
    ]
)
ACTIVITY: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("date", pa.date32()),  # UTC
        ("action", pa.string()),  # of the audit log, or response.submitted
        ("count", pa.int64()),
    ]
)
TABLES: Final[Mapping[str, pa.Schema]] = {
    "forms": FORMS,
    "partials": PARTIALS,
    "ai_results": AI_RESULTS,
    "activity": ACTIVITY,
}
_ORDER: Final = {
    "forms": "form_id",
    "partials": "form_id, partial_id",
    "ai_results": "form_id, response_id",
    "activity": "user_id, date, action",
}
SUBMITTED: Final = "response.submitted"


class Parts:
    """What was read for a table, put aside in files; `number` says which row is the later one."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._schema = TABLES[name].append(pa.field("number", pa.int32()))
        self.files: list[Path] = []

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows with the table's columns; what one has not is null."""
        number = len(self.files)
        path = self._folder / f"{self._name}-{number:06d}.parquet"
        table = pa.Table.from_pylist([{**row, "number": number} for row in rows], schema=self._schema)
        pq.write_table(table, path, compression="zstd", compression_level=1)
        self.files.append(path)

    @property
    def source(self) -> str:
        """In SQL."""
        if not self.files:
            nothing = ", ".join(f"NULL AS {name}" for name in self._schema.names)
            return f"(SELECT {nothing} WHERE false)"
        return f"read_parquet([{_texts(map(str, self.files))}])"


def told(lake: Lake, name: str) -> dict[str, Any] | None:
    """What was kept with the table; None when there is none, or one that cannot be read."""
    try:
        return parquet.told(lake.table(name))
    except (OSError, pa.ArrowException):
        return None


def count(connection: Connection, lake: Lake) -> None:
    """Go through the lake's days once, for the tables of what is in them."""
    counted = (
        "SELECT form_id, submitter AS user_id, CAST(created_at AS DATE) AS date, count(*) AS count, "
        f"max(created_at) AS last FROM {lake.source} GROUP BY ALL"
    )
    nothing = (
        "SELECT '' AS form_id, '' AS user_id, DATE '2000-01-01' AS date, 0 AS count, "
        "TIMESTAMPTZ '2000-01-01' AS last WHERE false"
    )
    connection.execute(f"CREATE TEMP TABLE counted AS {nothing if lake.is_empty else counted}")


def counted(connection: Connection, forms: Sequence[str]) -> dict[str, int]:
    """How many responses each of these forms has, by `count`."""
    asked = "SELECT form_id, sum(count)::BIGINT FROM counted WHERE list_contains(?, form_id) GROUP BY 1"
    return dict(connection.execute(asked, [forms]).fetchall())


def write_forms(connection: Connection, lake: Lake, parts: Parts, gone: Collection[str]) -> int:
    """What is kept and what was read, with what `count` found. How many rows, as of the others."""
    merged = _latest(_kept(lake, "forms"), parts, "form_id")
    found = "SELECT form_id, sum(count) AS n, max(last) AS latest FROM counted GROUP BY 1"
    select = (
        "SELECT * REPLACE (coalesce(n, 0) AS responses, latest AS last_response_at) "
        f"FROM ({merged}) LEFT JOIN ({found}) USING (form_id) WHERE {_not_in('form_id', gone)}"
    )
    return _write(connection, lake, "forms", select, {})


def write_partials(
    connection: Connection, lake: Lake, parts: Parts, gone: Collection[str], oldest: dt.datetime
) -> int:
    """Without those of deleted forms, and those that ended before the oldest that is kept."""
    merged = _latest(_kept(lake, "partials"), parts, "partial_id")
    select = (
        f"SELECT * FROM ({merged}) WHERE {_not_in('form_id', gone)} "
        f"AND coalesce(ended_at >= TIMESTAMPTZ {text(oldest.isoformat())}, true)"
    )
    return _write(connection, lake, "partials", select, {"gone": sorted(gone)})


def write_ai_results(
    connection: Connection,
    lake: Lake,
    parts: Parts,
    gone: Collection[str],
    anew: Collection[str],
    changed: Sequence[str],
) -> int:
    """What was read, and what is kept but of the forms `anew` and the responses that were changed."""
    kept = _kept(lake, "ai_results")
    if kept:
        connection.register("changed", pa.table({"response_id": pa.array(changed, pa.string())}))
        kept += f" WHERE {_not_in('form_id', anew)} AND response_id NOT IN (SELECT response_id FROM changed)"
    merged = _latest(kept, parts, "response_id")
    select = f"SELECT * FROM ({merged}) WHERE {_not_in('form_id', gone)}"
    return _write(connection, lake, "ai_results", select, {"gone": sorted(gone)})


def write_activity(connection: Connection, lake: Lake, parts: Parts, *, upto: int, is_whole: bool) -> int:
    """What is kept of the audit log, unless the parts have it whole, theirs up to the number `upto`, and what
    `count` found of users.
    """
    deeds = [f"SELECT user_id, date, action, count FROM {parts.source}"]
    if not is_whole:
        deeds.append(
            f"SELECT user_id, date, action, count FROM ({_kept(lake, 'activity')}) "
            f"WHERE action <> {text(SUBMITTED)}"
        )
    deeds.append(
        f"SELECT user_id, date, {text(SUBMITTED)} AS action, count FROM counted WHERE user_id IS NOT NULL"
    )
    select = (
        "SELECT user_id, date, action, CAST(sum(count) AS BIGINT) AS count "
        f"FROM ({' UNION ALL '.join(deeds)}) GROUP BY ALL"
    )
    return _write(connection, lake, "activity", select, {"audit": upto})


def _kept(lake: Lake, name: str) -> str:
    """A SELECT; empty when there is nothing."""
    if told(lake, name) is None:
        return ""
    return f"SELECT *, -1 AS number FROM read_parquet({text(str(lake.table(name)))})"


def _latest(kept: str, parts: Parts, key: str) -> str:
    every = f"SELECT * FROM {parts.source}" + (f" UNION ALL BY NAME {kept}" if kept else "")
    return f"SELECT * FROM ({every}) QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY number DESC) = 1"


def _write(connection: Connection, lake: Lake, name: str, select: str, told: Mapping[str, Any]) -> int:
    schema = TABLES[name]
    columns = ", ".join(f'"{column}"' for column in schema.names)
    ordered = connection.sql(f"SELECT {columns} FROM ({select}) ORDER BY {_ORDER[name]}")
    with publishing(lake.table(name)) as beside:
        return parquet.write(parquet.tables(ordered, schema), schema, beside, told)


def _not_in(column: str, values: Collection[str]) -> str:
    return f"{column} NOT IN ({_texts(values)})" if values else "true"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(map(text, sorted(values)))
