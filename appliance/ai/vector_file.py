"""The file in which the embeddings of responses are kept: what search by meaning looks through.

A row of records: id, form, time, revision and the vector (float32, length 1), closed by a CRC-32 over all
the rest; with 384 dimensions they have 1,664 bytes. A file is of one model, which its name tells
(`services.vector_place`): vectors of two models cannot be compared. One process writes (`vector_writer`), any
number read (`vectors`), each through its own memory map.

- A record is appended and fsynced. One that a crash has torn has a wrong checksum: readers leave it out, the
  next writer cuts it off, or wipes it where others follow. One of those that were said to be kept is
  damage: the writer refuses the file, and whoever asked it to write begins another.
- What is wiped is zero in every byte: an embedding tells of its text, so none is kept of what was deleted.
- Nothing that a reader has taken in is ever cut off or used for another response; `compact` makes a new
  file.

The database holds the truth. A file that is lost is made again by embedding anew.
"""

from __future__ import annotations

import datetime as dt
import zlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.ai.engine import Vectors

DIMENSIONS: Final = 384
"""Of the default model's vectors."""
ID_BYTES: Final = 40
AT_A_TIME: Final = 4096
"""Records that are read at a time: 7 MB."""
_BEFORE_CRC: Final = 92
_AFTER_CRC: Final = 96

Records = NDArray[np.void]


class Entry(NamedTuple):
    """What is kept of a response: when it was given, which revision of it was embedded, and as what."""

    response_id: str
    form_id: str
    at: dt.datetime
    revision: int
    vector: Vectors


def key(name: str) -> bytes:
    return name.encode()


def millis(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)


def layout(dimensions: int) -> np.dtype[np.void]:
    """Of a record."""
    return np.dtype(
        {
            "names": ["id", "form", "at", "revision", "crc", "spare", "vector"],
            "formats": [f"S{ID_BYTES}", f"S{ID_BYTES}", "<i8", "<i4", "<u4", "V32", ("<f4", dimensions)],
            "offsets": [0, 40, 80, 88, 92, 96, 128],
            "itemsize": 128 + 4 * dimensions,
        }
    )


def record(entry: Entry, kind: np.dtype[np.void]) -> bytes:
    """As it is written. Raises ValueError for an id of no or more than 40 bytes, and for what is no
    embedding."""
    ids = [key(entry.response_id), key(entry.form_id)]
    if not all(0 < len(one) <= ID_BYTES and b"\0" not in one for one in ids):
        raise ValueError(
            f"an id has 1 to {ID_BYTES} bytes: {entry.response_id[:60]!r}, {entry.form_id[:60]!r}"
        )
    vector = np.asarray(entry.vector, dtype=np.float32)
    wanted = kind["vector"].shape
    if vector.shape != wanted or not np.isfinite(vector).all():
        raise ValueError(f"an embedding has {wanted[0]} finite numbers; this has the shape {vector.shape}")
    made = np.zeros(1, dtype=kind)
    made["id"], made["form"] = ids
    made["at"], made["revision"], made["vector"] = millis(entry.at), entry.revision, vector
    made["crc"] = _checksum(made.tobytes())
    return made.tobytes()


def whole(records: Records) -> NDArray[np.bool_]:
    """Which of them are as they were written; neither wiped nor torn."""
    raw, size = memoryview(records.tobytes()), records.dtype.itemsize
    told = records["crc"].tolist()
    return np.array(
        [crc != 0 and crc == _checksum(raw[at * size : (at + 1) * size]) for at, crc in enumerate(told)],
        dtype=bool,
    )


def _checksum(raw: bytes | memoryview) -> int:
    return zlib.crc32(raw[_AFTER_CRC:], zlib.crc32(raw[:_BEFORE_CRC])) or 1  # 0 marks what was wiped
