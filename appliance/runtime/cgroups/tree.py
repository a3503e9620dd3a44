"""A tree of cgroups: writing into it, giving it to a user, ending who is inside and removing it."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 5.0
"""Seconds that the kernel may take to let go of processes that were killed."""
_DELEGATED = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks")
"""What a user needs to move processes among cgroups that are given to him (cgroups(7), 'Delegation')."""


def make(folder: Path) -> None:
    """Raises OSError."""
    folder.mkdir(exist_ok=True)


def write(path: Path, value: object) -> None:
    """One value, as one write(2): what the kernel refuses raises OSError with the file's name."""
    try:
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.write(descriptor, str(value).encode())
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise OSError(fault.errno, f"{fault.strerror} for {value!r}", str(path)) from None


def enter(folder: Path) -> None:
    """Move this process there. Raises OSError."""
    write(folder / "cgroup.procs", os.getpid())


def members(top: Path) -> list[int]:
    """Processes in it and below."""
    found = []
    for folder in _downwards(top):
        try:
            found += [int(word) for word in (folder / "cgroup.procs").read_text().split()]
        except OSError:
            continue  # removed meanwhile
    return found


def give(top: Path, user: int, group: int) -> None:
    """Let the user move processes within the tree and make and remove cgroups, but not change limits."""
    for folder in _downwards(top):
        for path in (folder, *(folder / name for name in _DELEGATED)):
            if path.exists():
                os.chown(path, user, group)


def remove(top: Path, *, patience: float = PATIENCE) -> None:
    """Kill who is inside, ourselves excepted, and remove the whole tree. Raises OSError."""
    deadline = time.monotonic() + patience
    while top.exists():
        for pid in members(top):
            if pid > 1 and pid != os.getpid():  # 0: of another namespace, and to kill(2) our own group
                _kill(pid)
        try:
            for folder in reversed(list(_downwards(top))):
                folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as fault:
            # Busy as long as the last process in it is not wholly gone.
            if fault.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _downwards(top: Path) -> Iterator[Path]:
    for folder, _, _ in os.walk(top):
        yield Path(folder)
