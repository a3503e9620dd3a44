"""Responses as Arrow tables: the columns that every row of the lake has, whatever its form.

`data` is the answers as JSON; typed columns of single questions come beside it (`hot`) when a day is written.
`submitter` is the id of the account, null for the public. Deleted responses come along with that status, so
that a day which is written anew leaves them out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

SCHEMA: Final = pa.schema(
    [
        ("response_id", pa.string()),
        ("form_id", pa.string()),
        ("form_version", pa.int32()),
        ("created_at", pa.timestamp("ms", "UTC")),
        ("updated_at", pa.timestamp("ms", "UTC")),
        ("completion_time", pa.float64()),  # seconds
        ("submitter", pa.string()),
        ("status", pa.string()),
        ("language", pa.string()),
        ("data", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("source", pa.string()),
        ("seq", pa.int64()),
        ("revision", pa.int32()),
    ]
)
LAKE: Final = pa.schema(
    [
        field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field
        for field in SCHEMA
    ]
)
"""The same as the lake's files have it."""
DELETED: Final = "deleted"
_encoder: Final = msgspec.json.Encoder(enc_hook=int)  # the driver has a type of its own for 64 bits


def table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Of decoded documents of `responses`, in their order; naive moments are UTC."""
    meta = [row["meta"] for row in rows]
    columns = [
        [row["_id"] for row in rows],
        [row["form_id"] for row in rows],
        [row["form_version"] for row in rows],
        [row["created_at"] for row in rows],
        [row["updated_at"] for row in rows],
        [one.get("completion_time") for one in meta],
        [row["submitter"] for row in rows],
        [row["status"] for row in rows],
        [one.get("language") for one in meta],
        [_encoder.encode(row["data"]).decode() for row in rows],
        [row["tags"] for row in rows],
        [one.get("source") for one in meta],
        [row["seq"] for row in rows],
        [row["revision"] for row in rows],
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
