"""What is in a data folder changes places where the folder itself cannot: it is a mount.

    draft complete ──▶ mark "aside" ──▶ what was there into `before-…` ──▶ mark "in" ──▶ the draft's go up

Contract: before the mark is on the disk nothing has changed; from then on it only goes forward. Killed on any
line, the next `appliance up` or restore goes on where it was, before anything else looks. `run` stays: it
holds the lock under which all this happens, and every start makes the rest of it anew.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Final

from appliance import disk
from appliance.errors import CannotStart

DRAFT: Final = ".draft"
"""The folder in the data folder that takes its place."""
STAYS: Final = frozenset({"run", "lost+found"})
_MARK: Final = ".swapping"
_BEFORE: Final = "before-"


def begin(data: Path, moment: str) -> None:
    """The draft is complete, and everything in it on the disk. Raises OSError."""
    disk.write_durably(data / _MARK, f"aside {_BEFORE}{moment}\n")


def is_begun(data: Path) -> bool:
    return (data / _MARK).exists()


def finish(data: Path) -> Path | None:
    """Go on with what was begun: where what was there before is now. None when nothing was.

    Raises OSError, CannotStart.
    """
    try:
        phase, name = (data / _MARK).read_text().split()
    except FileNotFoundError:
        return None
    except ValueError:
        raise CannotStart(f"{data / _MARK} cannot be read; next: restore a backup there") from None
    before = data / name
    if phase == "aside":
        before.mkdir(mode=0o700, exist_ok=True)
        for entry in contents(data):
            _move(entry, before / entry.name)
        disk.sync_folder(before)
        disk.sync_folder(data)
        disk.write_durably(data / _MARK, f"in {name}\n")
    draft = data / DRAFT
    if draft.is_dir():
        for entry in contents(draft):
            _move(entry, data / entry.name)
        disk.sync_folder(data)
        shutil.rmtree(draft)
    (data / _MARK).unlink()
    disk.sync_folder(data)
    return before


def contents(folder: Path) -> list[Path]:
    """What changes places."""
    ours = {DRAFT, _MARK, *STAYS}
    return [
        each
        for each in sorted(folder.iterdir())
        if each.name not in ours and not each.name.startswith(_BEFORE)
    ]


def _move(entry: Path, to: Path) -> None:
    """An empty folder may have been made anew meanwhile by a start that was then refused: it gives way."""
    if to.exists() and entry.is_dir() and not any(entry.iterdir()):
        entry.rmdir()
        return
    if to.is_dir() and not to.is_symlink():
        with contextlib.suppress(OSError):  # else the rename says why it cannot be
            to.rmdir()
    entry.rename(to)
