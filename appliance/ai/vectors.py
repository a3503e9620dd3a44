"""Search by meaning: the query's embedding compared with that of every response, exactly.

All records are looked at, in float32 and in their order, so an answer is exact and always the same. 100,000
responses take 166 MB of page cache, shared by all who read; `docs/ai-evaluation.md` has the times.
"""

from __future__ import annotations

import datetime as dt
import stat
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.ai.engine import Vectors
from appliance.ai.vector_file import AT_A_TIME, DIMENSIONS, Records, key, layout, millis, whole

_FEW: Final = 0.2
"""Of the records: so many are gathered for a product; of more, all are multiplied where they lie."""


_TICK: Final = 100_000_000
"""Nanoseconds after which a file system gives a new write a new time; ext4 needs 4 million."""


class Hit(NamedTuple):
    response_id: str
    form_id: str
    score: float
    """The cosine: 1 says the same, 0 has nothing to do with it."""


class Index:
    """The records of a file as they are now; a file that is not there has none."""

    def __init__(self, path: Path, dimensions: int = DIMENSIONS) -> None:
        self.path, self.dimensions = path, dimensions
        self.kind = layout(dimensions)
        self.size = self.kind.itemsize
        """Bytes of a record."""
        self.inode = self._seen = 0
        """Of the file whose records these are; 0: there is none."""
        self._begin()
        self.refresh()

    def __len__(self) -> int:
        return len(self.places)

    def revision(self, response_id: str) -> int | None:
        """Of which state of the response the embedding is; None: there is none."""
        place = self.places.get(key(response_id))
        return None if place is None else int(self.records["revision"][place])

    def refresh(self) -> None:
        """Take in what was written, wiped or replaced since."""
        try:
            now = self.path.stat()
        except FileNotFoundError:
            self._begin()
            return
        if not stat.S_ISREG(now.st_mode):  # a folder in its place: the writer puts it aside
            self._begin()
            return
        if now.st_ino == self.inode and now.st_mtime_ns == self._seen:
            return
        self._seen = now.st_mtime_ns if time.time_ns() - now.st_mtime_ns > _TICK else 0
        if now.st_ino != self.inode or now.st_size < len(self.records) * self.size:
            seen = self._seen
            self._begin()
            self.inode, self._seen = now.st_ino, seen
        if now.st_size // self.size > len(self.records):
            self._take(np.memmap(self.path, dtype=self.kind, mode="r", shape=(now.st_size // self.size,)))
        self._drop_wiped()

    def search(
        self,
        query: Vectors,
        limit: int = 10,
        *,
        form_id: str | None = None,
        since: dt.datetime | None = None,
        until: dt.datetime | None = None,
        among: Iterable[str] | None = None,
    ) -> list[Hit]:
        """The `limit` nearest responses, nearest first; equal ones in the order in which they were written.

        `since` is included, `until` is not; `among` names the only responses that may be found.
        """
        self.refresh()
        allowed = self._allowed(form_id, since, until, among)
        places = np.flatnonzero(allowed)
        if not len(places) or limit < 1:
            return []
        wanted = np.asarray(query, dtype=np.float32).reshape(self.dimensions)
        if len(places) < _FEW * len(allowed):
            scores = self.records["vector"][places] @ wanted
        else:
            scores = (self.records["vector"] @ wanted)[places]
        best = _largest(scores, limit)
        return [
            Hit(bytes(found["id"]).decode(), bytes(found["form"]).decode(), float(score))
            for found, score in zip(self.records[places[best]], scores[best], strict=True)
        ]

    def _begin(self) -> None:
        self.inode = self._seen = 0
        self.records: Records = np.empty(0, dtype=self.kind)
        self.places: dict[bytes, int] = {}
        """Where each response is."""
        self.outdated: list[int] = []
        """Where earlier states are that a crash has left: for the writer to wipe."""
        self._broken: list[int] = []
        self._alive = np.zeros(0, dtype=bool)
        self._forms = np.zeros(0, dtype=np.int32)
        self._at = np.zeros(0, dtype=np.int64)
        self._numbers: dict[bytes, int] = {}

    def _take(self, mapped: Records) -> None:
        """Look at the new records: which are whole, of which form, which replace which."""
        begin = len(self.records)
        groups = range(begin, len(mapped), AT_A_TIME)
        alive = np.concatenate([whole(mapped[at : at + AT_A_TIME]) for at in groups])
        settled = np.flatnonzero(alive | (mapped["crc"][begin:] == 0))
        count = int(settled[-1]) + 1 if len(settled) else 0  # torn ones at the end may yet be written
        fresh = mapped[begin : begin + count]
        self._broken += (begin + np.flatnonzero(~alive[:count] & (fresh["crc"] != 0))).tolist()
        for offset in np.flatnonzero(alive):
            name = bytes(fresh["id"][offset])
            if (earlier := self.places.get(name)) is not None:
                self.outdated.append(earlier)
            self.places[name] = begin + int(offset)
        numbers = [self._numbers.setdefault(bytes(form), len(self._numbers)) for form in fresh["form"]]
        self._forms = np.concatenate([self._forms, np.array(numbers, dtype=np.int32)])
        self._at = np.concatenate([self._at, fresh["at"]])
        self._alive = np.concatenate([self._alive, alive[:count]])
        self._alive[self.outdated] = False
        self.records = mapped[: begin + count]

    def _drop_wiped(self) -> None:
        """The map shows what the writer has wiped: such a record has no checksum any more."""
        gone = self._alive & (self.records["crc"] == 0)
        if gone.any():
            self._alive &= ~gone
            self.places = {name: place for name, place in self.places.items() if self._alive[place]}

    def broken(self) -> list[int]:
        """Where records are, before others, that are neither whole nor wiped."""
        self._broken = [
            place
            for place in self._broken
            if self.records["crc"][place] != 0 and not whole(self.records[place : place + 1])[0]
        ]
        return self._broken

    @property
    def sound(self) -> int:
        """Bytes up to the first record that is neither whole nor wiped."""
        return min(self.broken(), default=len(self.records)) * self.size

    def living(self, begin: int, end: int) -> Records:
        """Those from `begin` to before `end` that hold the present state of a response."""
        return np.asarray(self.records[begin:end])[self._alive[begin:end]]

    def _allowed(
        self,
        form_id: str | None,
        since: dt.datetime | None,
        until: dt.datetime | None,
        among: Iterable[str] | None,
    ) -> NDArray[np.bool_]:
        allowed = self._alive.copy()
        if form_id is not None:
            allowed &= self._forms == self._numbers.get(key(form_id), -1)
        if since is not None:
            allowed &= self._at >= millis(since)
        if until is not None:
            allowed &= self._at < millis(until)
        if among is not None:
            named = np.zeros(len(allowed), dtype=bool)
            named[[place for one in among if (place := self.places.get(key(one))) is not None]] = True
            allowed &= named
        return allowed


def _largest(scores: Vectors, limit: int) -> NDArray[np.intp]:
    """Where the largest are, largest first, equal ones in their order."""
    candidates = np.arange(len(scores))
    if limit < len(scores):
        candidates = np.flatnonzero(scores >= np.partition(scores, len(scores) - limit)[len(scores) - limit])
    return candidates[np.argsort(-scores[candidates], kind="stable")][:limit]
