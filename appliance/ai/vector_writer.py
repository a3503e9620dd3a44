"""Who writes the file of embeddings (`vector_file` has its rules): one process at a time, worker-ai."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance import disk
from appliance.ai.vector_file import AT_A_TIME, DIMENSIONS, Entry, key, record
from appliance.ai.vectors import Index


class Damaged(Exception):
    """The file has lost what it was said to hold."""


class Writer:
    """Use it as a context. What it has returned from is on the disk."""

    def __init__(
        self, path: Path, dimensions: int = DIMENSIONS, *, least: int = 0, anew: bool = False
    ) -> None:
        """Opens or makes the file, and mends what a crash has left; `anew` takes away what was there.

        Raises BlockingIOError when another process writes, Damaged when not even the first `least` bytes are
        whole, and OSError for what the disk says.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(_beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _beside(path, ".new").unlink(missing_ok=True)
            if anew:
                _take_away(path)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError:
            os.close(self._lock)
            raise
        disk.sync_folder(path.parent)
        self.index = Index(path, dimensions)
        self._size = self.index.size
        if (sound := self.index.sound) < least:
            self.close()
            raise Damaged(f"{path.name} is whole up to byte {sound}; {least} were kept")
        os.ftruncate(self._file, len(self.index.records) * self._size)
        os.fsync(self._file)
        self._wipe(self.index.broken())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._file)
        os.close(self._lock)

    def put(self, entries: Sequence[Entry]) -> None:
        """Keep these in place of earlier states of the same responses, with one fsync for all.

        Raises ValueError for an entry that cannot be kept, before anything is; Damaged when the file was cut;
        OSError when the disk is full: some may be kept then, and putting all of them again is right.
        """
        if not entries:
            return
        latest = {entry.response_id: entry for entry in entries}
        data = b"".join(record(entry, self.index.kind) for entry in latest.values())
        end = self.bytes
        if os.fstat(self._file).st_size < end:  # what is missing would be read as wiped
            raise Damaged(f"{self.index.path.name} was cut while it was written")
        try:
            _write(self._file, data, end)
            os.fsync(self._file)
        finally:
            size = os.fstat(self._file).st_size
            os.ftruncate(self._file, size - size % self._size)
            self.index.refresh()
        self._wipe([])

    def delete(self, response_ids: Iterable[str]) -> int:
        """Wipe what is kept of these; how many there were."""
        found = {self.index.places.get(key(one)) for one in response_ids} - {None}
        self._wipe([place for place in found if place is not None])
        return len(found)

    @property
    def is_lost(self) -> bool:
        """Somebody has taken the file away, or put another in its place: what is written now is lost."""
        try:
            return self.index.path.stat().st_ino != self.inode
        except FileNotFoundError:
            return True

    @property
    def inode(self) -> int:
        return os.fstat(self._file).st_ino

    @property
    def bytes(self) -> int:
        """Of whole records and wiped ones."""
        return len(self.index.records) * self._size

    @property
    def wasted(self) -> float:
        """The share of records that hold nothing any more. Half is a good time to `compact`."""
        total = len(self.index.records)
        return 1 - len(self.index) / total if total else 0.0

    def compact(self) -> None:
        """Write what lives to a new file, in its order, and put it in place of this one."""
        path, total = self.index.path, len(self.index.records)
        new = _beside(path, ".new")
        file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            end = 0
            for begin in range(0, total, AT_A_TIME):
                end += _write(file, self.index.living(begin, begin + AT_A_TIME).tobytes(), end)
            os.fsync(file)
            new.replace(path)
        except OSError:
            os.close(file)
            new.unlink(missing_ok=True)
            raise
        disk.sync_folder(path.parent)
        os.close(self._file)
        self._file = file
        self.index.refresh()

    def _wipe(self, places: Iterable[int]) -> None:
        """Zero these and what is outdated."""
        wiped = sorted({*places, *self.index.outdated})
        for place in wiped:
            _write(self._file, bytes(self._size), place * self._size)
        if wiped:
            os.fsync(self._file)
        self.index.outdated.clear()
        self.index.refresh()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _take_away(path: Path) -> None:
    """A folder is put aside: what is in it is none of ours."""
    if path.is_dir() and not path.is_symlink():
        path.rename(_beside(path, f".aside-{time.time_ns()}"))
    else:
        path.unlink(missing_ok=True)


def _write(file: int, data: bytes, at: int) -> int:
    done = 0
    while done < len(data):
        done += os.pwrite(file, memoryview(data)[done:], at + done)
    return done
