"""A copy of the data, made while nothing runs, which comes back by itself when a migration does not end well.

    mark "copying" ──▶ the copy, synced ──▶ mark "migrating" ──▶ … ──▶ no mark; the copy is kept

Contract: with the mark "copying" the data is what it was, so the copy is thrown away; with "migrating" the
copy is whole (`copied` lists it), and takes the data's place; "asked" is the same when an operator wants it
of a copy that was kept. Killed on any line, the next start (of whichever code) does that before anything else
looks: putting back only goes forward. Nobody can have stored anything meanwhile, since no program runs. What
the copy has replaced lies in `aside` until the database has started on what was put back.

`mongo`, `redis` and the other folders whose files are written in place are copied. Where files are only ever
made and removed, the copy is a second name of each. A database elsewhere (MONGODB_URI) is in a backup
instead, which lies there too; `appliance migrate back` puts it back.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import shutil
import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal, get_args

from appliance import clock, disk
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import copied

COPIED: Final = ("mongo", "redis", "secrets", "tls", "erasures", "vectors")
_SECRETS: Final = "secrets"
LINKED: Final = ("files", "lake", "exports", "imports")
ARCHIVE: Final = "database.appliance"
"""The backup of a database elsewhere, in the copy's folder."""
KEPT: Final = dt.timedelta(days=7)
"""It holds what was erased since, so it does not stay for good."""
_MARK: Final = "mark"
_COPY: Final = "before"
_ASIDE: Final = "aside"
_ABOUT: Final = "about.json"
_GONE: Final = "gone"
"""A copy that is being removed: what is left of one is never taken for a copy."""

Phase = Literal["copying", "migrating", "asked"]


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
    phase: Phase
    about: About
    attempt: str = ""
    """What a database elsewhere carries from its backup on, so that it is known again."""


def read(paths: Paths) -> Mark | None:
    """What was begun and has not ended. Raises CannotStart when it cannot be read."""
    path = mark(paths)
    try:
        told = json.loads(path.read_text())
        if told["phase"] not in get_args(Phase):
            raise ValueError(f"no such phase: {told['phase']!r}")
        return Mark(told["phase"], _about(told["about"]), str(told.get("attempt", "")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise CannotStart(
            f"{path} cannot be read ({fault}), so nobody knows whether {folder(paths)} has to be put back;"
            " next: look at both (docs/operating.md, 'Newer code')"
        ) from None


def _about(told: Mapping[str, Any]) -> About:
    """Newer code may have written more into it. Raises ValueError, KeyError, TypeError."""
    about = About(**{each.name: told[each.name] for each in fields(About)})
    clock.parse_rfc3339(about.at)
    if not all(isinstance(each, int) for each in (about.level, about.to)):
        raise TypeError("a level is a number")
    return about


def folder(paths: Paths) -> Path:
    """Where the copy lies."""
    return paths.upgrade / _COPY


def archive(paths: Paths) -> Path:
    return folder(paths) / ARCHIVE


def find(paths: Paths) -> About | None:
    """The copy that is kept, if there is one."""
    try:
        return _about(json.loads((folder(paths) / _ABOUT).read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def find_unknown(paths: Paths) -> str:
    """A copy of which nobody can say what it is, so nobody removes it: why, and what to do. Call when there
    is no mark.
    """
    if not folder(paths).exists() or find(paths) is not None:
        return ""
    return (
        f"{folder(paths) / _ABOUT} cannot be read, so nobody knows what the copy beside it is of, and it is"
        f" kept; next: put that file right, or move the copy away: mv '{folder(paths)}' ELSEWHERE"
    )


def mark(paths: Paths) -> Path:
    """Is there from the beginning to the end of an attempt."""
    return paths.upgrade / _MARK


def aside(paths: Paths) -> Path:
    """What the copy has replaced."""
    return paths.upgrade / _ASIDE


def find_obstacles(paths: Paths) -> list[str]:
    """Why this data cannot be copied and put back, a line each. Raises OSError."""
    return list(copied.find_obstacles(paths.data, (*COPIED, *LINKED)))


def needed(paths: Paths) -> int:
    """Bytes that another copy takes, less what the one that is kept gives back. Raises OSError."""
    if disk.can_clone(paths.data):
        return 0
    copied = sum(disk.bytes_of(paths.data / name) for name in COPIED)
    kept = sum(disk.bytes_of(folder(paths) / name) for name in COPIED)
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


def arm(paths: Paths, about: About) -> str:
    """From here on the copy takes the data's place, unless `disarm` comes first. The attempt's name, which
    nothing else has had. Raises OSError.
    """
    attempt = uuid.uuid4().hex
    copied.write(folder(paths), sized={*COPIED, ARCHIVE} - {_SECRETS})
    disk.write_durably(folder(paths) / _ABOUT, json.dumps(asdict(about)))
    disk.sync_folder(paths.upgrade)
    _write(paths, Mark("migrating", about, attempt))
    return attempt


def disarm(paths: Paths) -> None:
    """The data stays as it is now; the copy is kept. Raises OSError."""
    mark(paths).unlink(missing_ok=True)
    disk.sync_folder(paths.upgrade)


def rearm(paths: Paths, about: About) -> None:
    """The copy that is kept takes the data's place at the next start. Raises OSError, CannotStart."""
    if read(paths) is None:  # else it may have been begun
        _write(paths, Mark("asked", about, uuid.uuid4().hex))


def is_old(about: About, now: dt.datetime) -> bool:
    return now - clock.parse_rfc3339(about.at) > KEPT


def throw_away(paths: Paths) -> None:
    """The copy, which was not finished or is not wanted any more. Raises OSError."""
    _clear(paths)
    disarm(paths)


def tidy(paths: Paths) -> None:
    """Call when there is no mark: what was killed as it was about to be removed goes. Raises OSError."""
    kept = {_COPY, _ASIDE}
    if {each.name for each in paths.upgrade.iterdir()} - kept:
        _clear(paths, kept)


def check(paths: Paths) -> None:
    """Raises CannotStart unless the copy is whole: each folder of it lies where it was made, or has taken its
    place already, and what was there lies aside.
    """
    if _is_put_back(paths):
        return
    contents = copied.read(folder(paths))
    tops = {name.partition("/")[0] for name in contents}
    done = {top for top in tops if not (folder(paths) / top).exists() and (aside(paths) / top).exists()}
    copied.check(folder(paths), contents, {top: paths.data / top for top in done})


def put_back(paths: Paths) -> None:
    """The copy takes the data's place; what is there goes aside. Killed anywhere, it goes on. Raises
    CannotStart when the copy is not whole, before anything is changed, and OSError.
    """
    check(paths)
    for name in (*COPIED, *LINKED):
        if (folder(paths) / name).is_dir():
            _exchange(paths, name)
    if not _is_put_back(paths):
        _discard(paths)
    disarm(paths)
    _clear(paths, {_ASIDE})


def let_go(paths: Paths) -> None:
    """What was there before it was put back. Call when the database has started since. Raises OSError."""
    if aside(paths).exists():
        shutil.rmtree(aside(paths))
        disk.sync_folder(paths.upgrade)


def _is_put_back(paths: Paths) -> bool:
    """All but the mark: nothing else leaves one that is gone beside none that is there, and a mark."""
    return not folder(paths).exists() and (paths.upgrade / _GONE).exists()


def _discard(paths: Paths) -> None:
    """The copy is none any more, at once. Raises OSError."""
    gone = paths.upgrade / _GONE
    if gone.exists():
        shutil.rmtree(gone)
    folder(paths).rename(gone)
    disk.sync_folder(paths.upgrade)


def _exchange(paths: Paths, name: str) -> None:
    """Two renames, and the copy's is the last: as long as it is there, this has not been done."""
    copy, there, replaced = folder(paths) / name, paths.data / name, aside(paths) / name
    replaced.parent.mkdir(mode=0o700, exist_ok=True)
    if not there.exists():
        replaced.mkdir(exist_ok=True)  # so that one sees that this was done
    elif replaced.exists():
        there.rmdir()  # a start has made an empty one since
    else:
        there.rename(replaced)
    copy.rename(there)
    for each in (replaced.parent, paths.data, folder(paths)):
        disk.sync_folder(each)


def _copy(source: Path, to: Path, *, is_linked: bool) -> None:
    to.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_symlink():
            raise OSError(errno.ELOOP, "is a link, which cannot be copied", str(entry))
        if entry.is_dir():
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
    if _COPY not in kept and folder(paths).exists():
        _discard(paths)
    for each in sorted(paths.upgrade.iterdir()):
        if each.name not in kept:
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    disk.sync_folder(paths.upgrade)


def _write(paths: Paths, begun: Mark) -> None:
    disk.write_durably(mark(paths), json.dumps(asdict(begun)))
