"""Writing rows as a Parquet file: the same rows as the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from duckdb import DuckDBPyRelation

GROUP: Final = 60_000
"""Rows of a row group …"""
BYTES: Final = 16 * 2**20
"""… and bytes of answers in it, at most: whoever reads it has that much in memory, or one response."""
_BATCH: Final = 10_000
_KEY: Final = b"appliance"


def write(
    tables: Iterable[pa.Table],
    schema: pa.Schema,
    path: Path,
    told: Mapping[str, Any],
    made: Callable[[pa.Table], pa.Table] = lambda group: group,
) -> int:
    """How many rows. In groups that depend on the rows alone, not on how they come; `made` gives each group
    its further columns. `told` goes into the file's metadata.
    """
    count = 0
    schema = schema.with_metadata({_KEY: json.dumps(told, sort_keys=True)})
    # Answers are seldom the same; and a dictionary would hide how large they are.
    worthwhile = [name for name in schema.names if name != "data"]
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, write_page_checksum=True,
        use_dictionary=worthwhile,
    ) as writer:  # fmt: skip
        for group in groups(tables, GROUP, BYTES):
            writer.write_table(made(group).replace_schema_metadata(schema.metadata), group.num_rows)
            count += group.num_rows
    return count


def tables(found: DuckDBPyRelation, schema: pa.Schema) -> Iterator[pa.Table]:
    """What DuckDB gives, some rows at a time."""
    for batch in found.to_arrow_reader(_BATCH):
        yield pa.Table.from_batches([batch]).cast(schema)


def told(path: Path) -> dict[str, Any]:
    """What `write` was told beside the rows. Raises OSError, ArrowException."""
    found = pq.read_metadata(path).metadata or {}
    known: dict[str, Any] = json.loads(found.get(_KEY, b"{}"))
    return known


def groups(tables: Iterable[pa.Table], rows: int, size: int) -> Iterator[pa.Table]:
    """Of at most so many rows and bytes of `data`; one row may have more."""
    held: pa.Table | None = None
    for table in tables:
        held = table if held is None else pa.concat_tables([held, table])
        while (fitting := _fitting(held, rows, size)) < held.num_rows:
            yield held.slice(0, fitting).combine_chunks()
            held = held.slice(fitting)
    if held is not None and held.num_rows:
        yield held.combine_chunks()


def _fitting(table: pa.Table, rows: int, size: int) -> int:
    if "data" not in table.column_names:
        return min(rows, int(table.num_rows))
    lengths = pc.fill_null(pc.binary_length(table["data"]), 0)
    ends = np.cumsum(np.asarray(lengths, dtype=np.int64))
    return min(rows, max(1, int(np.searchsorted(ends, size, side="right"))), int(table.num_rows))
