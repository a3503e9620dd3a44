"""Writing what DuckDB gives as a Parquet file: the same rows as the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

GROUP: Final = 60_000
"""Rows of a row group."""
BATCH: Final = 10_000
"""Rows that DuckDB hands over at a time."""
_KEY: Final = b"appliance"


def write(reader: pa.RecordBatchReader, path: Path, told: Mapping[str, Any]) -> int:
    """How many rows. By Arrow and in groups of equal size: DuckDB's own writer makes other bytes of the same
    rows, by how they came to it. `told` goes into the file's metadata.
    """
    count = 0
    schema = reader.schema.with_metadata({_KEY: json.dumps(told, sort_keys=True)})
    with pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=1, write_page_checksum=True
    ) as writer:
        for group in _groups(reader):
            writer.write_table(group.replace_schema_metadata(schema.metadata), GROUP)
            count += group.num_rows
    return count


def told(path: Path) -> dict[str, Any]:
    """What `write` was told beside the rows. Raises OSError, ArrowException."""
    found = pq.read_metadata(path).metadata or {}
    known: dict[str, Any] = json.loads(found.get(_KEY, b"{}"))
    return known


def _groups(reader: pa.RecordBatchReader) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in reader:
        held.append(batch)
        count += batch.num_rows
        while count >= GROUP:
            table = pa.Table.from_batches(held)
            yield table.slice(0, GROUP).combine_chunks()
            held = table.slice(GROUP).to_batches()
            count -= GROUP
    if count:
        yield pa.Table.from_batches(held).combine_chunks()
