"""Making the file of an export: responses window by window, as columns, into one of the formats.

Contract of `make`: memory is bounded by a window, whatever the form holds. All responses that were
acknowledged before it began are in the file, in the order of their numbers; later ones are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import bson
import msgspec

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.domain.columns import ColumnMap, union
from appliance.domain.frames import Frame, MainFrames, RepeatFrames
from appliance.errors import Conflict, FieldError, Invalid
from appliance.services import deadlines
from appliance.services.context import Context
from appliance.services.export_shapes import Format, Status
from appliance.services.responses import response_shape
from appliance.stores import forms, responses
from appliance.stores.export_csv import CsvWriter
from appliance.stores.export_parquet import ParquetWriter
from appliance.stores.export_xlsx import XlsxWriter
from appliance.stores.mongo import AWARE, Document
from appliance.stores.pages import Span
from appliance.stores.response_windows import windows
from appliance.stores.responses import TimeRange

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; header=present",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
VERSIONS = 50
"""Versions of a form at most whose columns are looked at; answers to older ones may be in `extra`."""
_CELLS = 200_000
"""Worked on at a time, so that a table of thousands of columns takes no more memory."""


class Wanted(msgspec.Struct, kw_only=True):
    """What an export is to hold."""

    format: Format
    table: str | None = None
    bom: bool = False
    time_zone: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    status: Status | None = None
    terms: list[str] = []
    """Index terms that a response must have."""

    def takes(self, row: Document) -> bool:
        """What the index does not decide."""
        if row["status"] != self.status if self.status else row["status"] == "deleted":
            return False
        if self.start is not None and row["created_at"] < self.start:
            return False
        if self.end is not None and row["created_at"] > self.end:
            return False
        return all(term in row["kv"] for term in self.terms)


class Limits(NamedTuple):
    """Of what is made while a client waits."""

    rows: int
    bytes: int


Told = Callable[[int, int], None]
"""Numbers of responses that were looked at, and of how many."""


async def columns_of(context: Context, form_id: str) -> ColumnMap:
    """Over the form's versions. Raises NotFound."""
    rows = await forms.versions(context.db, form_id)
    rules = [await context.forms.compiled(form_id, int(row["version"])) for row in rows[:VERSIONS]]
    return await asyncio.to_thread(lambda: union(one.columns() for one in rules))


def check_table(wanted: Wanted, columns: ColumnMap) -> None:
    """Raises Invalid for a table there is none of."""
    if wanted.table is None:
        return
    if wanted.format not in ("csv", "parquet"):
        fault = "csv and parquet have one table a file; xlsx has all tables, ndjson needs none"
    elif columns.table(wanted.table) is None:
        names = ", ".join(one.name for one in columns.repeats) or "none"
        fault = f"the form has no such table beside the main one; it has: {names}"
    else:
        return
    raise Invalid("There is no such table.", errors=[FieldError("/table", fault)])


async def make(
    context: Context,
    form_id: str,
    wanted: Wanted,
    file: IO[bytes],
    *,
    limits: Limits | None = None,
    told: Told | None = None,
) -> int:
    """Write the file; how many rows of the main table it is about. With `limits` a client waits for it.

    A worker has nothing else to do: in a thread, it would fight the event loop for the interpreter over each
    piece of the next window, and half of the time would be lost.

    Raises Invalid, NotFound, Conflict beyond the limits, Unavailable on a disk that is nearly full.
    """
    columns = await columns_of(context, form_id)
    check_table(wanted, columns)
    sink = _sink(wanted, columns, file, Paths(context.settings.data).exports)
    counters = await forms.get_counters(context.db, form_id)
    times = TimeRange(wanted.start, wanted.end)
    span = Span(1, int(counters["seq"]))
    if not times.is_open:
        span = await responses.find_span(context.db, form_id, times, span.high)
    term = wanted.terms[0] if wanted.terms else None
    rows = 0
    reading = windows(context.db, form_id, term, span, deadlines.start)
    async with contextlib.aclosing(reading):
        async for batch, high in reading:
            context.space.check()
            if limits is None:
                rows += _work(sink, wanted, batch)
            else:  # others are served by this process meanwhile
                rows += await asyncio.to_thread(_work, sink, wanted, batch)
            if limits is not None:
                _check(limits, rows, file)
            if told is not None:
                told(high - span.low + 1, span.high - span.low + 1)
    await asyncio.to_thread(sink.finish)
    return rows


def _check(limits: Limits, rows: int, file: IO[bytes]) -> None:
    if rows > limits.rows or file.tell() > limits.bytes:
        raise Conflict(
            f"This is more than {limits.rows} responses or {limits.bytes // 2**20} MB; have it made by "
            "POST .../exports, or ask for less with from, to, status or filter."
        )


class _Sink(NamedTuple):
    write: Callable[[list[Any]], None]
    finish: Callable[[], None]


def _work(sink: _Sink, wanted: Wanted, batch: bytes) -> int:
    rows = [row for row in bson.decode_all(batch, AWARE) if wanted.takes(row)]
    rows.sort(key=lambda row: row["seq"])
    sink.write(rows)
    return len(rows)


def _sink(wanted: Wanted, columns: ColumnMap, file: IO[bytes], folder: Path) -> _Sink:
    if wanted.format == "ndjson":
        return _Sink(lambda rows: _write_lines(file, rows), lambda: None)
    main = MainFrames(columns)
    tables: list[MainFrames | RepeatFrames] = [main]
    zone = zoneinfo.ZoneInfo(wanted.time_zone)
    if wanted.format == "xlsx":
        repeats = [RepeatFrames(one) for one in columns.repeats]
        tables += repeats
        heads = {"": main.heads, **{one.name: one.heads for one in repeats}}
        book = XlsxWriter(file, heads, zone, folder)
        return _Sink(_pieces(tables, book.write), book.finish)
    table = None if wanted.table is None else columns.table(wanted.table)
    if table is not None:
        tables = [RepeatFrames(table)]
    if wanted.format == "csv":
        lines = CsvWriter(file, tables[0].heads, zone, bom=wanted.bom)
        return _Sink(_pieces(tables, lambda _, frame: lines.write(frame)), lambda: None)
    parquet = ParquetWriter(file, tables[0].heads, wanted.time_zone)
    return _Sink(_pieces(tables, lambda _, frame: parquet.write(frame)), parquet.finish)


def _pieces(
    tables: list[MainFrames | RepeatFrames], write: Callable[[int, Frame], None]
) -> Callable[[list[Any]], None]:
    def all_of(rows: list[Any]) -> None:
        for place, table in enumerate(tables):
            step = max(1, _CELLS // len(table.heads))
            for first in range(0, len(rows), step):
                write(place, table.frame(rows[first : first + step]))

    return all_of


def _write_lines(file: IO[bytes], rows: list[Any]) -> None:
    lines = bytearray()
    for row in rows:
        lines += msgspec.json.encode(response_shape(row), enc_hook=int)
        lines += b"\n"
    file.write(lines)


def file_name(form: Document, wanted: Wanted) -> str:
    """In ASCII, whatever the form is called: its slug is."""
    made = f"{utc_now():%Y%m%d-%H%M}"
    table = "".join(one if one.isascii() and one.isalnum() else "-" for one in wanted.table or "")[:40]
    return "-".join(filter(None, (form["slug"], made, table))) + f".{wanted.format}"
