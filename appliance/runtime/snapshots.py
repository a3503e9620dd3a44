"""A copy of the data, made while nothing runs, which comes back by itself when a migration does not end well.

    mark "copying" ──▶ the copy, synced ──▶ mark "migrating" ──▶ … ──▶ no mark; the copy is kept

Contract: with the mark "copying" the data is what it was, so the copy is thrown away; with "migrating" the
copy is whole, and takes the data's place. Killed on any line, the next start (of whichever code) does that
before anything else looks: putting back only goes forward. Nobody can have stored anything meanwhile, since
no program runs.

`mongo`, `redis` and the other folders whose files are written in place are copied. Where files are only ever
made and removed, the copy is a second name of each. A database elsewhere (MONGODB_URI) is in a backup
instead, which lies there too; `appliance migrate back` puts it back.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from appliance import clock, disk
from appliance.addresses import Paths
from appliance.errors import CannotStart

COPIED: Final = ("mongo", "redis", "secrets", "tls", "erasures", "vectors")
LINKED: Final = ("files", "lake", "exports", "imports")
ARCHIVE: Final = "database.appliance"
"""The backup of a database elsewhere, in the copy's folder."""
KEPT: Final = dt.timedelta(days=7)
"""It holds what was erased since, so it does not stay for good."""
_MARK: Final = "mark"
_COPY: Final = "before"
_ASIDE: Final = "aside"
_ABOUT: Final = "about.json"


@dataclass(frozen=True, slots=True)
class About:
    """Of what the copy is, and what was about to happen."""

    level: int
    to: int
    version: str
    """Of the code that made it, which is the newer one."""
    at: str


@dataclass(frozen=True, slots=True)
class Mark:
    phase: Literal["copying", "migrating"]
    about: About


def read(paths: Paths) -> Mark | None:
    """What was begun and has not ended. Raises CannotStart when it cannot be read."""
    path = paths.upgrade / _MARK
    try:
        told = json.loads(path.read_text())
        return Mark(told["phase"], About(**told["about"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise CannotStart(
            f"{path} cannot be read ({fault}), so nobody knows whether {folder(paths)} has to be put back;"
            " next: look at both (docs/operating.md, 'Newer code')"
        ) from None


def folder(paths: Paths) -> Path:
    """Where the copy lies."""
    return paths.upgrade / _COPY


def archive(paths: Paths) -> Path:
    return folder(paths) / ARCHIVE


def find(paths: Paths) -> About | None:
    """The copy that is kept, if there is one."""
    try:
        return About(**json.loads((folder(paths) / _ABOUT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def needed(paths: Paths) -> int:
    """Bytes that another copy takes, less what the one that is kept gives back. Raises OSError."""
    if disk.can_clone(paths.data):
        return 0
    copied = sum(_size(paths.data / name) for name in COPIED)
    kept = sum(_size(folder(paths) / name) for name in COPIED)
    return max(0, copied - kept)


def begin(paths: Paths, about: About) -> None:
    """Make room for another copy: the one before goes. Raises OSError."""
    _write(paths, Mark("copying", about))
    _clear(paths)
    folder(paths).mkdir(mode=0o700)


def take(paths: Paths) -> None:
    """Copy what is there; all of it is on the disk then. Raises OSError."""
    for name in (*COPIED, *LINKED):
        if (paths.data / name).is_dir():
            _copy(paths.data / name, folder(paths) / name, is_linked=name in LINKED)


def arm(paths: Paths, about: About) -> None:
    """From here on the copy takes the data's place, unless `disarm` comes first. Raises OSError."""
    disk.write_durably(folder(paths) / _ABOUT, json.dumps(asdict(about)))
    disk.sync_folder(paths.upgrade)
    _write(paths, Mark("migrating", about))


def disarm(paths: Paths) -> None:
    """The data stays as it is now; the copy is kept. Raises OSError."""
    (paths.upgrade / _MARK).unlink(missing_ok=True)
    disk.sync_folder(paths.upgrade)


def rearm(paths: Paths, about: About) -> None:
    """The copy that is kept takes the data's place at the next start. Raises OSError."""
    _write(paths, Mark("migrating", about))


def is_old(about: About, now: dt.datetime) -> bool:
    try:
        return now - clock.parse_rfc3339(about.at) > KEPT
    except ValueError:
        return True


def throw_away(paths: Paths) -> None:
    """The copy, which was not finished or is not wanted any more. Raises OSError."""
    _clear(paths)
    disarm(paths)


def tidy(paths: Paths) -> None:
    """Call when there is no mark: what was killed as it was about to be removed goes. Raises OSError."""
    kept = {_COPY} if find(paths) is not None else set[str]()
    if {each.name for each in paths.upgrade.iterdir()} - kept:
        _clear(paths, kept)


def put_back(paths: Paths) -> None:
    """The copy takes the data's place; what is there goes. Killed anywhere, it goes on. Raises OSError."""
    for name in (*COPIED, *LINKED):
        if (folder(paths) / name).is_dir():
            _exchange(paths, name)
    (folder(paths) / _ABOUT).unlink(missing_ok=True)
    disarm(paths)
    _clear(paths)


def _exchange(paths: Paths, name: str) -> None:
    """Two renames, and the copy's is the last: as long as it is there, this has not been done."""
    copy, there, aside = folder(paths) / name, paths.data / name, paths.upgrade / _ASIDE / name
    aside.parent.mkdir(mode=0o700, exist_ok=True)
    if there.exists():
        if aside.exists():
            there.rmdir()  # a start has made an empty one since
        else:
            there.rename(aside)
    copy.rename(there)
    for each in (aside.parent, paths.data, folder(paths)):
        disk.sync_folder(each)


def _copy(source: Path, to: Path, *, is_linked: bool) -> None:
    to.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_symlink():
            (to / entry.name).symlink_to(entry.readlink())
        elif entry.is_dir():
            _copy(entry, to / entry.name, is_linked=is_linked)
        elif not entry.is_file():
            continue  # sockets mean nothing elsewhere
        elif is_linked:
            (to / entry.name).hardlink_to(entry)
        else:
            disk.copy_durably(entry, to / entry.name)
    shutil.copystat(source, to)
    disk.sync_folder(to)


def _clear(paths: Paths, kept: Collection[str] = (_MARK,)) -> None:
    for each in sorted(paths.upgrade.iterdir()):
        if each.name not in kept:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    disk.sync_folder(paths.upgrade)


def _write(paths: Paths, mark: Mark) -> None:
    disk.write_durably(paths.upgrade / _MARK, json.dumps(asdict(mark)))


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in _files(path))


def _files(path: Path) -> Iterator[Path]:
    return (each for each in path.rglob("*") if each.is_file() and not each.is_symlink())
