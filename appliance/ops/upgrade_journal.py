"""How far an upgrade of an installation is, in a folder beside the code: root's, as the code is.

Contract: what is to come is written down, durably, before it is done. So whoever finds the journal, and
nobody at work, knows how much there may be to undo.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from appliance import disk
from appliance.errors import CannotStart
from appliance.settings import HOME

_LOCK: Final = "lock"
Phase = Literal["preparing", "draining", "stopping", "exchanging", "starting", "committed"]


class Busy(CannotStart):
    """Another one is at work."""


@dataclass(frozen=True, slots=True)
class Journal:
    phase: Phase
    pid: int
    version: str
    to: str
    level: int | None
    """Of the data before."""
    was_active: bool
    """The service ran before, so it is to run afterwards."""
    was_closed: bool
    """Maintenance was on before, so it stays on."""

    def goes_on(self, phase: Phase) -> Journal:
        """Raises OSError."""
        following = replace(self, phase=phase)
        write(following)
        return following


def folder() -> Path:
    return HOME.with_name(f".{HOME.name}.upgrade")


def code() -> Path:
    """The newer code, until it and what runs change places; then the older."""
    return folder() / "code"


def write(journal: Journal) -> None:
    disk.write_durably(folder() / "journal", json.dumps(asdict(journal)), mode=0o644)


def read() -> Journal | None:
    """None when there is nothing to end. Raises CannotStart when it cannot be read."""
    path = folder() / "journal"
    try:
        return Journal(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as fault:
        raise CannotStart(f"{path} cannot be read ({fault}); next: docs/systemd.md, 'Newer code'") from None


def remove() -> None:
    """The end, whichever. Raises OSError."""
    if code().exists():
        shutil.rmtree(code())
    (folder() / "journal").unlink(missing_ok=True)
    _sweep()
    disk.sync_folder(folder())


def _sweep() -> None:
    """What was being written when somebody was killed."""
    for draft in folder().glob(".journal.*"):
        draft.unlink()


def is_at_work() -> bool:
    """Somebody holds the lock. For who may only look. Raises OSError."""
    descriptor = os.open(folder() / _LOCK, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Nobody else upgrades meanwhile; what this process has forked holds it too. Raises CannotStart."""
    folder().mkdir(mode=0o755, exist_ok=True)
    with disk.only_one(folder(), _LOCK, mode=0o644) as is_first:
        if not is_first:
            begun = read()
            who = (
                f"process {begun.pid} upgrades to {begun.to} ({begun.phase})"
                if begun
                else "another one begins"
            )
            raise Busy(f"{who}; nothing was changed; next: wait for its end")
        _sweep()
        yield
