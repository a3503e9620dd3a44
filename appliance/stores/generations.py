"""Which bodies are still good: one number a thing, shared by all processes of this machine.

A writer changes the number of what it changes, before its write and again after it; a reader takes the
number before it reads the database and keeps what it read under that number. So once a write is
acknowledged, no process gives out what was read before it. All of it is a memory-mapped file: a look costs
under a microsecond and needs no server that might be away.

Things share numbers by hash; a collision only costs a read. A writer that is killed between its write and
the second change leaves bodies that may be old, for at most as long as a body lives (`LIFE` in `cache`).
"""

from __future__ import annotations

import contextlib
import mmap
import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

_SLOTS = 1 << 16
_SIZE = 8 * (_SLOTS + 1)


class Generations:
    """The open table. Slot 0 holds a random number made with the file: those of another file never match."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                os.truncate(descriptor, _SIZE)
            self._map = mmap.mmap(descriptor, _SIZE)
        finally:
            os.close(descriptor)
        # One aligned store of 8 bytes: another process sees the old number or the new one, never half.
        self._numbers = memoryview(self._map).cast("Q")
        if self._numbers[0] == 0:
            self._numbers[0] = _random()

    def get(self, name: str) -> int:
        """The number of a thing, mixed with the table's own."""
        return self._numbers[_slot(name)] ^ self._numbers[0]

    def change(self, *names: str) -> None:
        """A number that nobody has seen: whichever of two racing writers is last, readers see a change."""
        for name in names:
            self._numbers[_slot(name)] = _random()

    @contextlib.asynccontextmanager
    async def changing(self, *names: str) -> AsyncIterator[None]:
        """Around a write of `names`, whether it succeeds or not: a failed one may have happened."""
        self.change(*names)
        try:
            yield
        finally:
            self.change(*names)

    def close(self) -> None:
        self._numbers.release()
        self._map.close()


def _slot(name: str) -> int:
    return 1 + zlib.crc32(name.encode()) % _SLOTS


def _random() -> int:
    return int.from_bytes(os.urandom(8), "little") | 1
