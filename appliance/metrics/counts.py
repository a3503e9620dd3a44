"""What a process counts: whole numbers in memory that is mapped from a file, one file for each slot.

    magic | bytes used | record … record        record: length of its key, how many cells | key | cells

Contract:

- To count is to write eight bytes of memory: some 0.1 µs, no lock, no call of the kernel. The kernel has them
  from then on, so a process that is killed loses nothing; power loss does, and each start empties the folder.
- A slot is a name such as `api-1` or `worker-high-3`, never a process id: who comes after a death takes the
  file up and counts on, so there are as many files and series after a thousand restarts as before. While two
  live at once (the old one is still leaving), the second has a file of its own, `api-1~2`; readers add up.
- The whole file is on the disk before it is mapped: else a full disk would kill whoever counts (SIGBUS).
- What does not fit any more is counted as `dropped`: a label that nobody bounded never grows the file.
- A file that somebody has removed is made anew within a second or two, with all that was counted in it.
- Nothing here fails: without a file it is counted in memory, and nobody is told.
- For one thread a process: an addition is no atomic one.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance import logs

BYTES: Final = 256 * 1024
"""Of a file: some 2,000 series."""
DROPPED: Final = ("dropped",)
"""The key of what did not fit."""
Key = tuple[str, ...]
"""What is counted, and the values of its labels."""

_MAGIC: Final = int.from_bytes(b"counts/1", "little")
_BETWEEN: Final = "\x1f"
_AT_ONCE: Final = 8
"""Processes that may have one slot at a time."""
_WORD: Final = 8
_HEAD: Final = 2
"""Words before the first record."""

log = logs.get(__name__)


class Counts:
    """`cells` may be added to directly by who keeps the places that `place` gave."""

    def __init__(self, memory: mmap.mmap | bytearray | None = None) -> None:
        self.cells = memoryview(bytearray(BYTES) if memory is None else memory).cast("Q")
        self._places: dict[Key, int] = {}
        if self.cells[0] == _MAGIC:
            self._places = {key: at for key, at, _ in _records(self.cells)}
        else:
            self.cells[1] = _HEAD
            self.cells[0] = _MAGIC
        self._dropped = self.place(*DROPPED)

    def move(self, memory: mmap.mmap) -> None:
        """To another file, with all that was counted. For the thread that counts."""
        cells = memoryview(memory).cast("Q")
        cells[:] = self.cells
        self.cells = cells

    def add(self, *key: str, by: int = 1) -> None:
        at = self._places.get(key)
        self.cells[self.place(*key) if at is None else at] += by

    def place(self, *key: str, cells: int = 1) -> int:
        """Where the first of its cells is; that of what was dropped when one cell does not fit, else -1."""
        if (at := self._places.get(key)) is not None:
            return at
        text = _BETWEEN.join(key).encode()
        start, words = int(self.cells[1]), -(-len(text) // _WORD)
        end = start + 1 + words + cells
        if end > len(self.cells):
            return self._dropped if cells == 1 else -1
        content = memoryview(text.ljust(words * _WORD, b"\0") + bytes(cells * _WORD)).cast("Q")
        self.cells[start] = len(text) | cells << 32
        self.cells[start + 1 : end] = content
        self.cells[1] = end  # last: whoever reads, or goes on after us, sees it whole or not at all
        at = self._places[key] = end - cells
        return at


def read(folder: Path) -> dict[Key, list[int]]:
    """What all slots have counted together, living and dead. A file that cannot be read is passed over."""
    found: dict[Key, list[int]] = {}
    for path in sorted(folder.glob("*.counts")):
        with contextlib.suppress(OSError, ValueError, TypeError, IndexError):
            for key, at, cells in list(_records(words := memoryview(path.read_bytes()).cast("Q"))):
                mine = words[at : at + cells].tolist()
                before = found.get(key, [0] * len(mine))
                found[key] = [one + more for one, more in zip(before, mine, strict=True)]
    return found


def wipe(folder: Path) -> None:
    """At a start, before anyone counts: labels of another version would stay for ever. Raises OSError."""
    for path in folder.glob("*.counts"):
        path.unlink(missing_ok=True)  # not emptied: a process that still has it mapped would die of that


_own = Counts()
_kept: tuple[Path, str, tuple[int, int]] | None = None
"""Folder, slot, and device and number of the file."""
_looked = 0.0


def keep_in(folder: Path, slot: str) -> None:
    """From here on this process counts in its slot's file. Call once, after the last fork."""
    global _own, _kept
    try:
        memory, file = _mapped(folder, slot)
        _own, _kept = Counts(memory), (folder, slot, file)
    except (OSError, ValueError, IndexError) as fault:
        log.warning("counts for nobody to see", extra={"slot": slot, "error": str(fault)[:200]})


def look_after() -> None:
    """Make the file anew if it is gone, with all that was counted: else nobody would see any more of it.

    It looks once in a second at most. Who counts by `add` need not call it, who keeps places has to.
    """
    global _kept, _looked
    if _kept is None or (now := time.monotonic()) - _looked < 1:
        return
    _looked = now
    folder, slot, file = _kept
    if file in _files(folder, slot):
        return
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        memory, file = _mapped(folder, slot)
        _own.move(memory)
    except (OSError, ValueError, IndexError):
        return  # the disk is full: again in a second
    _kept = folder, slot, file
    log.warning("the counts were removed, and are there again", extra={"slot": slot})


def own() -> Counts:
    return _own


def add(*key: str, by: int = 1) -> None:
    """One more of this, with the values of its labels. Each must be one of a few."""
    _own.add(*key, by=by)
    look_after()


def told() -> Counter[Key]:
    """What this process has counted itself; of what has several cells, the first. For tests."""
    return Counter({key: int(_own.cells[at]) for key, at, _ in _records(_own.cells)})


def _paths(folder: Path, slot: str) -> Iterator[Path]:
    for number in range(1, _AT_ONCE + 1):
        yield folder / f"{slot}{'' if number == 1 else f'~{number}'}.counts"


def _files(folder: Path, slot: str) -> Iterator[tuple[int, int]]:
    for path in _paths(folder, slot):
        with contextlib.suppress(OSError):
            yield _identity(path.lstat())


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _mapped(folder: Path, slot: str) -> tuple[mmap.mmap, tuple[int, int]]:
    for path in _paths(folder, slot):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(descriptor, 0, BYTES)
            file = _identity(os.fstat(descriptor))
            memory = mmap.mmap(descriptor, BYTES)  # with a descriptor of its own, which keeps the lock
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
        if not _is_sound(memory):
            memory[:] = bytes(BYTES)
        return memory, file
    raise OSError(f"{_AT_ONCE} processes have this slot already")


def _is_sound(memory: mmap.mmap) -> bool:
    try:
        with memoryview(memory) as bare, bare.cast("Q") as words:
            return sum(1 for _ in _records(words)) > 0
    except (ValueError, IndexError):
        return False


def _records(words: memoryview) -> Iterator[tuple[Key, int, int]]:
    """Each key, where its cells begin and how many there are. Raises ValueError, IndexError."""
    if words[0] != _MAGIC:
        raise ValueError("no counts")
    at, end = _HEAD, int(words[1])
    if end > len(words):
        raise ValueError("ends beyond its end")
    while at < end:
        size, cells = int(words[at]) & 0xFFFFFFFF, int(words[at]) >> 32
        first = at + 1 + -(-size // _WORD)
        if first + cells > end:
            raise ValueError("a record ends beyond the last one")
        text = words[at + 1 : first].tobytes()[:size].decode()
        yield tuple(text.split(_BETWEEN)), first, cells
        at = first + cells
