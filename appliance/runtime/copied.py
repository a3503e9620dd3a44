"""What a copy of the data has to hold: a list that is made with it, and what cannot be copied so.

The list is `contents.json` beside what it names: by path, the size, or null where that may change (folders;
second names of files; secrets, which a way back renews).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from appliance import disk
from appliance.errors import CannotStart

LIST: Final = "contents.json"
_NAMED: Final = 3
"""So many of what is missing are told."""

Contents = dict[str, int | None]


def write(folder: Path, *, sized: Iterable[str]) -> None:
    """List what lies there; `sized` names what keeps its size. Durable then. Raises OSError."""
    kept = set(sized)
    found: Contents = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        found[str(name)] = path.stat().st_size if name.parts[0] in kept and path.is_file() else None
    found.pop(LIST, None)
    disk.write_durably(folder / LIST, json.dumps(found))


def read(folder: Path) -> Contents:
    """Raises CannotStart when nobody knows what has to be there."""
    try:
        found = json.loads((folder / LIST).read_text())
        return {str(name): None if size is None else int(size) for name, size in found.items()}
    except (OSError, ValueError, TypeError, AttributeError) as fault:
        raise CannotStart(_not_whole(folder, f"{LIST}: {fault}")) from None


def check(folder: Path, contents: Contents, lies: dict[str, Path]) -> None:
    """`lies`: where each first part of a path lies by now. Raises CannotStart, naming what is missing."""
    missing = []
    for name, size in contents.items():
        top, _, rest = name.partition("/")
        path = lies.get(top, folder / top) / rest
        if not os.path.lexists(path):
            missing.append(f"{name} is missing")
        elif size is not None and path.stat().st_size != size:
            missing.append(f"{name} has {path.stat().st_size} bytes, not {size}")
    if missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise CannotStart(_not_whole(folder, ", ".join(missing[:_NAMED]) + more))


def find_obstacles(data: Path, names: Iterable[str]) -> Iterator[str]:
    """Why these folders could not be copied and put back: a link would be copied without what it leads to,
    and no name moves to another disk. A line each, with the next command. Raises OSError.
    """
    data = data.resolve()
    device, mounts = data.stat().st_dev, disk.mounts()
    for name in names:
        for path in _walk(data / name):
            if path.is_symlink():
                yield (
                    f"{path} is a link, and a copy of the data would not hold what it leads to;"
                    f" next: stop the appliance, put {path.resolve()} in the link's place"
                    " (or set APPLIANCE_DATA to a folder on the disk that it is on)"
                )
            elif path.is_dir() and (path.stat().st_dev != device or disk.shown(path) in mounts):
                yield (
                    f"{path} is a mount of its own, and a copy of the data cannot change places with it;"
                    f" next: stop the appliance, umount '{path}', put what it holds there"
                    " (or have the whole data folder on that disk)"
                )


def _walk(path: Path) -> Iterator[Path]:
    """Links and folders; below what is neither ours nor a folder nobody looks."""
    if path.is_symlink():
        yield path
    elif path.is_dir():
        yield path
        with os.scandir(path) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_symlink() or entry.is_dir():
                    yield from _walk(Path(entry.path))


def _not_whole(folder: Path, why: str) -> str:
    return (
        f"the copy of the data in {folder} is not whole ({why}), so it is not put back, and all is left as it"
        " is; next: put back what is missing, or restore a backup of before (docs/backup.md)"
    )
