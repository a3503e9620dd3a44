"""Whether the lake's files are whole."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance.analytics.lake import Lake


class Day(NamedTuple):
    date: dt.date
    responses: int
    fault: str
    """Empty when the file is whole."""


def days(lake: Lake) -> list[Day]:
    """Each day, in their order: every byte is read."""
    return [_day(lake, date) for date in lake.days()]


def _day(lake: Lake, date: dt.date) -> Day:
    try:
        with pq.ParquetFile(lake.day(date)) as file:
            table = file.read()
    except (OSError, pa.ArrowException) as fault:
        return Day(date, 0, str(fault).splitlines()[0][:200])
    return Day(date, table.num_rows, _fault(table, date))


def _fault(table: pa.Table, date: dt.date) -> str:
    if pc.count_distinct(table["response_id"]).as_py() != table.num_rows:
        return "a response is there twice"
    found = pc.unique(pc.cast(pc.floor_temporal(table["created_at"], unit="day"), pa.date32()))
    return "" if found.to_pylist() == [date] else "it has responses of other days"
