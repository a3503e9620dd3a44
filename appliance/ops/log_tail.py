"""Follow growing, rotating log files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from appliance.ops.log_lines import Line, Parser, Wanted


class Tail:
    """What is added to the files from now on, across rotation (a rename, then a new file)."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.folder, self.wanted = folder, wanted
        self.followed = {path: _Followed(path, at_end=True) for path in self._current()}
        self.starts = {path: each.file.tell() for path, each in self.followed.items()}
        """Bytes of each file that were there already."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.followed.values():
            each.file.close()

    def read(self) -> list[Line]:
        """Lines since the last call, in the order of time."""
        for path in self._current():
            if path not in self.followed:
                self.followed[path] = _Followed(path, at_end=False)
        added = [line for each in self.followed.values() for line in each.read()]
        return sorted(line for line in added if self.wanted.takes(line))

    def _current(self) -> list[Path]:
        return [path for path in self.folder.glob("*.log") if self.wanted.takes_program(path.stem)]


class _Followed:
    def __init__(self, path: Path, *, at_end: bool) -> None:
        self.file = path.open("rb")
        # What goes on with a line from before we looked has at least a time.
        self.parser = Parser(path.stem, since=os.fstat(self.file.fileno()).st_mtime)
        self.path, self.rest = path, b""
        if at_end:
            self.file.seek(0, 2)

    def read(self) -> Iterator[Line]:
        yield from self._read_on()
        while self._is_replaced():
            yield from self._read_on()  # what was written between the last look and the renaming
            self.file.close()
            self.file = self.path.open("rb")
            yield from self._read_on()

    def _read_on(self) -> Iterator[Line]:
        if self.file.tell() > os.fstat(self.file.fileno()).st_size:
            self.file.seek(0)  # emptied in place
        *whole, self.rest = (self.rest + self.file.read()).split(b"\n")
        return (self.parser.parse(line) for line in whole)

    def _is_replaced(self) -> bool:
        try:
            now = self.path.stat()
        except FileNotFoundError:
            return False  # between the two steps of a rotation
        return not os.path.samestat(now, os.fstat(self.file.fileno()))
