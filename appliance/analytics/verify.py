"""Whether the lake's files are whole, and what they have, to be compared with the database."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance.analytics.engine import Connection
from appliance.analytics.hot import text
from appliance.analytics.lake import Lake, Period
from appliance.analytics.tables import TABLES


class File(NamedTuple):
    date: str
    """The day, or the month; of a table, its name."""
    rows: int
    fault: str
    """Empty when the file is whole."""


def files(lake: Lake) -> list[File]:
    """Each of them, in their order, and the tables beside: every byte is read."""
    found = [_file(lake.file(period), period.name, period) for period in lake.periods()]
    return found + [_file(lake.table(name), name) for name in TABLES if lake.table(name).exists()]


def _file(path: Path, name: str, period: Period | None = None) -> File:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as fault:
        return File(name, 0, str(fault).splitlines()[0][:200])
    return File(name, table.num_rows, _fault(table, period) if period else "")


def _fault(table: pa.Table, period: Period) -> str:
    if pc.count_distinct(table["response_id"]).as_py() != table.num_rows:
        return "a response is there twice"
    found = pc.unique(pc.cast(pc.floor_temporal(table["created_at"], unit="day"), pa.date32()))
    is_within = all(period.first <= day <= period.last for day in found.to_pylist())
    return "" if is_within else "it has responses of other days"


def revisions(
    connection: Connection, lake: Lake, windows: Iterable[tuple[str, int, int]]
) -> set[tuple[str, str, int]]:
    """Form, id and revision of responses with numbers above the first up to the second, of each form. Only
    the days are read that have any, as `tables.count` found.
    """
    rows = [{"form_id": form_id, "low": low, "high": high} for form_id, low, high in windows]
    types = pa.schema([("form_id", pa.string()), ("low", pa.int64()), ("high", pa.int64())])
    connection.register("windows", pa.Table.from_pylist(rows, schema=types))
    found = connection.execute(
        "SELECT DISTINCT date FROM counted SEMI JOIN windows USING (form_id)"
    ).fetchall()
    if not found:
        return set()
    files = ", ".join(sorted({text(str(lake.file(lake.period(date)))) for (date,) in found}))
    asked = (
        "SELECT form_id, response_id, revision "
        f"FROM read_parquet([{files}], union_by_name = true, hive_partitioning = false) "
        "JOIN windows USING (form_id) WHERE seq > low AND seq <= high"
    )
    return set(connection.execute(asked).fetchall())
