"""The mark of an unfinished move, in the new folder: from before the service stops until it runs again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from appliance.disk import sync_folder, write_durably
from appliance.runtime import place

NAME = ".moving"
RUNNING = "the service ran"


class Mark(NamedTuple):
    old: Path
    """The folder that is copied."""
    was_active: bool
    """The service ran before, so it is to run afterwards."""


def read(new: Path) -> Mark | None:
    path = new / NAME
    if path.is_symlink() or not path.is_file():
        return None
    lines = path.read_text(errors="replace").splitlines()
    return Mark(Path(lines[0]), RUNNING in lines[1:]) if lines else None


def write(new: Path, mark: Mark) -> None:
    """Make the folder, which from now on is known as unfinished, even after power loss. Raises OSError."""
    above = place.nearest(new)
    new.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(new / NAME, f"{mark.old}\n{RUNNING if mark.was_active else ''}\n")
    for folder in new.parents:
        if folder.is_relative_to(above):
            sync_folder(folder)


def remove(new: Path) -> None:
    (new / NAME).unlink()
    sync_folder(new)


def may_be_filled(new: Path, old: Path) -> bool:
    """Nothing is in it but a fresh disk's own folder, or what an unfinished move of `old` left there."""
    if not new.is_dir():
        return True
    found = read(new)
    if found and found.old == old:
        return True
    # A mark that was being written when the move was killed still has its draft's name.
    names = {path.name for path in new.iterdir() if not path.name.startswith(f".{NAME}.")}
    return not names or (new.is_mount() and names == {"lost+found"})
