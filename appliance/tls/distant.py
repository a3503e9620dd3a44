"""The operator's own files, looked at by a child that has a deadline.

They may lie on a mount whose server is away: a call there never comes back, and a process that waits in one
cannot always be ended. So nobody but the child waits; one that cannot be ended is left alone, and until it is
gone nobody else is sent to the same files.

Run as a program this is that child, so it imports nothing but the standard library.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MOST = 1024 * 1024
"""Bytes that are read of a file."""
_GRACE = 1.0
"""Seconds that a child has to be gone once it was killed."""
_left: dict[tuple[Path, ...], subprocess.Popen[bytes]] = {}
"""Children that could not be ended, by what they were sent to."""


class Seen(NamedTuple):
    """`fault` is an errno, 0 when it is there; `text` has a character for each byte of a regular file."""

    fault: int = 0
    mode: int = 0
    inode: int = 0
    size: int = 0
    changed: int = 0
    text: str = ""

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)


def look(paths: Sequence[Path], *, seconds: float, read: bool = False) -> list[Seen]:
    """Through links. Raises TimeoutError when no answer comes in time, OSError where nobody can be sent."""
    asked = tuple(paths)
    for gone in [each for each, child in _left.items() if child.poll() is not None]:
        del _left[gone]
    if asked in _left:
        raise TimeoutError
    command = [sys.executable, "-I", "-S", __file__, "read" if read else "look", *map(str, asked)]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        told, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(child, asked)
        raise TimeoutError from None
    if child.returncode < 0 or not told:
        raise OSError(f"whoever was to look at {', '.join(map(str, asked))} has ended")
    return [Seen(*each) for each in json.loads(told)]


def _end(child: subprocess.Popen[bytes], asked: tuple[Path, ...]) -> None:
    child.kill()
    if child.stdout is not None:
        child.stdout.close()
    try:
        child.wait(_GRACE)
    except subprocess.TimeoutExpired:
        _left[asked] = child


def see(path: Path, *, read: bool) -> Seen:
    """May wait for ever. A pipe is not read, and its opening does not wait for a writer."""
    try:
        if not read:
            return _seen(path.stat())
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            found = _seen(os.fstat(descriptor))
            return found._replace(text=file.read(MOST).decode("latin-1")) if found.is_file else found
    except OSError as fault:
        return Seen(fault.errno or errno.EIO)


def _seen(found: os.stat_result) -> Seen:
    return Seen(0, found.st_mode, found.st_ino, found.st_size, found.st_mtime_ns)


def main(arguments: Sequence[str]) -> None:
    found = [see(Path(path), read=arguments[0] == "read") for path in arguments[1:]]
    json.dump(found, sys.stdout)  # tuples become lists


if __name__ == "__main__":
    main(sys.argv[1:])
