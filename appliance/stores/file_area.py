"""The bytes of uploaded files, below the data folder's `files`, each under its id.

A file lies at `<last two digits of its id>/<id>`, whole or not at all. `incoming/<id>` is what marks work
under way: an upload is written there and linked to its place before its row is stored; a removal is linked
there before its row goes. So whatever dies midway, the marks that are left are all there is to settle.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.disk import sync_folder

_INCOMING = "incoming"


class FileArea:
    """All of it blocks: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def address(self, file_id: str) -> str:
        """Where the file lies, below the folder."""
        return f"{file_id[-2:]}/{file_id}"

    def path(self, file_id: str) -> Path:
        return self._folder / self.address(file_id)

    def draft(self, file_id: str) -> Draft:
        """Raises OSError."""
        self._mark(file_id).parent.mkdir(mode=0o700, exist_ok=True)
        return Draft(self._mark(file_id))

    def put_in_place(self, file_id: str) -> None:
        """Of a draft that is closed. From here on it is there after a power cut too. Raises OSError."""
        place = self.path(file_id)
        if not place.parent.is_dir():
            place.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        place.hardlink_to(self._mark(file_id))
        sync_folder(place.parent)

    def mark(self, file_id: str) -> None:
        """Before its row goes. Safe to repeat."""
        self._mark(file_id).parent.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            self._mark(file_id).hardlink_to(self.path(file_id))

    def settle(self, file_id: str, *, has_row: bool) -> None:
        """The work is done, or was broken off: with its row the file stays, without one it goes."""
        if not has_row:
            self.path(file_id).unlink(missing_ok=True)
        self._mark(file_id).unlink(missing_ok=True)

    def broken_off(self, older_than: float) -> Iterator[str]:
        """Ids of what was begun more than so many seconds ago and never settled."""
        before = time.time() - older_than
        with contextlib.suppress(FileNotFoundError):
            for found in (self._folder / _INCOMING).iterdir():
                with contextlib.suppress(FileNotFoundError):
                    if found.stat().st_ctime < before:  # a link changes the ctime, not the mtime
                        yield found.name

    def _mark(self, file_id: str) -> Path:
        return self._folder / _INCOMING / file_id


class Draft:
    """A file that is being written. Leaving it syncs it to the disk."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)

    def __enter__(self) -> Self:
        return self

    def write(self, chunk: bytes) -> None:
        """Raises OSError."""
        left = memoryview(chunk)
        while left:
            left = left[self._file.write(left) or 0 :]

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            if kind is None:
                os.fsync(self._file.fileno())
