"""Parquet with typed columns, in row groups of bounded size. pyarrow is loaded only where one is written."""

from __future__ import annotations

import datetime as dt
import functools
import sys
from typing import IO, Any, Final

from appliance.domain.dates import parse
from appliance.domain.frames import Frame, Head, mapped, moments
from appliance.domain.values import js_text

GROUP_BYTES: Final = 4 * 1024 * 1024
"""Of Arrow data, from which on a row group is written."""
GROUP_ROWS: Final = 10_000


class _WithoutPandas:
    """A finder of modules that finds no pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ImportError(name)


@functools.cache
def _load() -> Any:
    """pyarrow, which would load pandas where that is installed, to see whether cells are its own: 50 MB."""
    absent: Any = _WithoutPandas()
    sys.meta_path.insert(0, absent)
    try:
        import pyarrow
        import pyarrow.parquet

        pyarrow.array([0])  # here it looks, once
    finally:
        sys.meta_path.remove(absent)
    return pyarrow


class ParquetWriter:
    def __init__(self, file: IO[bytes], heads: tuple[Head, ...], zone_name: str) -> None:
        self._arrow, self._heads = _load(), heads
        pyarrow = self._arrow
        types = {
            "number": pyarrow.float64(),
            "flag": pyarrow.int8(),
            "boolean": pyarrow.bool_(),
            "date": pyarrow.date32(),
            "time": pyarrow.time32("ms"),
            "datetime": pyarrow.timestamp("ms"),
            "moment": pyarrow.timestamp("ms", zone_name),
        }
        self._schema = pyarrow.schema([(one.name, types.get(one.kind, pyarrow.string())) for one in heads])
        self._parquet = pyarrow.parquet.ParquetWriter(
            file, self._schema, compression="zstd", compression_level=1
        )
        self._batches: list[Any] = []
        self._bytes = self._rows = 0

    def write(self, frame: Frame) -> None:
        arrays = [
            self._arrow.array(_cells(head, cells), kept.type)
            for head, cells, kept in zip(self._heads, frame, self._schema, strict=True)
        ]
        batch = self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema)
        self._batches.append(batch)
        self._bytes += batch.nbytes
        self._rows += batch.num_rows
        if self._bytes >= GROUP_BYTES or self._rows >= GROUP_ROWS:
            self._write_group()

    def finish(self) -> None:
        self._write_group()
        self._parquet.close()

    def _write_group(self) -> None:
        if self._rows:
            self._parquet.write_table(self._arrow.Table.from_batches(self._batches))
        self._batches, self._bytes, self._rows = [], 0, 0
        self._arrow.default_memory_pool().release_unused()


def _cells(head: Head, cells: list[Any]) -> list[Any]:
    if head.kind == "date":
        return mapped(cells, dt.date.fromisoformat)
    if head.kind == "time":
        return mapped(cells, lambda cell: parse("time", cell).time())
    if head.kind == "datetime":
        return mapped(cells, lambda cell: parse("datetime-local", cell).replace(tzinfo=None))
    if head.kind == "moment":
        return moments(cells)
    if head.kind == "choice":
        return mapped(cells, lambda cell: cell if type(cell) is str else js_text(cell))
    return cells
