"""Rows of several files in one order, a piece at a time.

What is held is a piece of each file, so it grows with the number of files and not with what they hold:
responses may have a megabyte each. Contract: each file's rows are in the order of `KEY`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from appliance.analytics.rows import DELETED, LAKE

KEY: Final = ("form_id", "created_at", "response_id")
PIECE: Final = 2 * 2**20
"""Bytes that are read of a file at a time, more or less."""
_FRESH: Final = "fresh"
_ORDER: Final = [
    *((name, "ascending") for name in KEY),
    ("revision", "descending"),
    (_FRESH, "descending"),
]

Key = tuple[str, int, str]


def read(
    path: Path, groups: Collection[int] | None = None, wanted: pc.Expression | None = None, *, fresh: bool
) -> Iterator[pa.Table]:
    """Some rows at a time, of these row groups. Of two states with one revision the `fresh` one counts."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        names = [*LAKE.names, *(["day"] if "day" in file.schema_arrow.names else [])]
        for group in range(file.num_row_groups) if groups is None else sorted(groups):
            told = file.metadata.row_group(group)
            size = max(1, told.num_rows * PIECE // max(1, told.total_byte_size))
            for batch in file.iter_batches(min(size, told.num_rows), row_groups=[group], columns=names):
                table = pa.Table.from_batches([batch])
                if wanted is not None:
                    table = table.filter(wanted)
                if table.num_rows:
                    table = table.select(LAKE.names).cast(LAKE)
                    yield table.append_column(_FRESH, pa.repeat(fresh, table.num_rows))


def latest(runs: Sequence[Iterator[pa.Table]]) -> Iterator[pa.Table]:
    """Each response once, in its latest state; deleted ones not."""
    held = [(run, table) for run in runs if (table := next(run, None)) is not None]
    while held:
        bound = min(_last(table) for _, table in held)
        taken, kept = list[pa.Table](), list[tuple[Iterator[pa.Table], pa.Table]]()
        for run, table in held:
            rest: pa.Table | None = table
            while rest is not None:  # the next piece may begin with the same response
                cut = _upto(rest, bound)
                taken.append(rest.slice(0, cut))
                if cut < rest.num_rows:
                    kept.append((run, rest.slice(cut)))
                    break
                rest = next(run, None)
        held = kept
        if (found := _latest(pa.concat_tables(taken))).num_rows:
            yield found


def _last(table: pa.Table) -> Key:
    return _key(table, table.num_rows - 1)


def _key(table: pa.Table, at: int) -> Key:
    form, moment, response = (table[name][at] for name in KEY)
    return form.as_py(), moment.value, response.as_py()


def _upto(table: pa.Table, bound: Key) -> int:
    """How many rows come up to the bound, itself included."""
    low, high = 0, int(table.num_rows)
    if _last(table) <= bound:
        return high
    while low < high:
        middle = (low + high) // 2
        if _key(table, middle) <= bound:
            low = middle + 1
        else:
            high = middle
    return low


def _latest(table: pa.Table) -> pa.Table:
    ordered = table.sort_by(_ORDER)
    ids = ordered["response_id"].combine_chunks()
    first = pa.concat_arrays([pa.array([True]), _array(pc.not_equal(ids[1:], ids[:-1]))])
    kept = pc.and_(first, pc.not_equal(ordered["status"], DELETED))
    return ordered.filter(kept).select(LAKE.names)


def _array(value: Any) -> pa.Array:
    return value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value
