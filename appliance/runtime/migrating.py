"""`up` brings the data to the level of its code before any program starts, and puts it back when that fails.

    room ──▶ a copy of the data (`snapshots`) ──▶ the database alone, migrated ──▶ the level noted ──▶ no mark

What speaks to the database is a process of its own, `appliance migrate`, which dies with this one, and its
database with it. So nothing goes on behind a start that was killed.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final, Literal

from appliance import __version__, disk, levels, processes
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.runtime import preflight, snapshots
from appliance.runtime.snapshots import About
from appliance.settings import HOME, Settings

AWAY: Final = 3
"""Exit status of `appliance migrate`: the database does not answer."""
LEFT: Final = 4
"""Of `appliance migrate back`: the database is left as it is, for nothing of it was changed, or all is."""
OLDER: Final = (
    "start the older code again (in a checkout: git checkout of it; a service: appliance upgrade FOLDER)"
)
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)

Mode = Literal["look", "run", "back"]
Say = Callable[[str], None]


def recover(paths: Paths, chosen: Settings) -> list[str]:
    """End what a start before was killed in; what was done, a line each. Raises CannotStart, OSError."""
    mark = snapshots.read(paths)
    if mark is None:
        if paths.upgrade.is_dir():
            snapshots.tidy(paths)
        return [told] if (told := snapshots.find_unknown(paths)) else []
    if mark.phase == "copying":
        snapshots.throw_away(paths)
        return ["an upgrade was broken off before it changed any data; its unfinished copy is removed"]
    if left := _put_back(paths, chosen):
        return [left]
    about = mark.about
    return [f"an upgrade of the data to level {about.to} was broken off; it is of level {about.level} again"]


def bring_up_to_date(paths: Paths, chosen: Settings, say: Say) -> None:
    """Call with the lock, while nothing runs. Raises CannotStart; then the data is what it was."""
    _prove(paths, chosen)
    wanted = levels.of_code()
    level = _find_level(paths, chosen, wanted)
    if level > wanted:
        raise CannotStart(_too_new(paths, level, wanted))
    if level == wanted:
        return
    names = ", ".join(f"{step.number} ({step.name})" for step in levels.pending(level))
    say(f"the data is of level {level}, this code of {wanted}; migrations: {names}")
    about = About(level, wanted, __version__, rfc3339(utc_now()))
    try:
        _check_copy(paths, chosen)
        _check_room(paths, chosen)
        _copy(paths, chosen, about, say)
        _run("run", paths, say)
        _end(paths)
    except (CannotStart, OSError) as fault:
        raise CannotStart(_undo(paths, chosen, about, fault)) from None
    kept = snapshots.find(paths)
    where = f"; what it was before is in {snapshots.folder(paths)} for 7 days" if kept else ""
    say(f"the data is of level {wanted}{where}")


def _end(paths: Paths) -> None:
    mark = snapshots.read(paths)
    if mark is not None and mark.phase == "copying":
        snapshots.throw_away(paths)  # another machine has migrated the database since we looked
    else:
        snapshots.disarm(paths)


def _prove(paths: Paths, chosen: Settings) -> None:
    """That the database starts on what was put back; only then goes what was there. Raises CannotStart."""
    if chosen.mongodb_uri is not None or not snapshots.aside(paths).exists():
        return
    status, told = _ask("look", paths)
    if status:
        raise CannotStart(
            f"the database does not start on what was put back: {_fault(told)}; what was there before is kept"
            f" in {snapshots.aside(paths)}; next: restore a backup of before (docs/backup.md)"
        )
    try:
        snapshots.let_go(paths)
    except OSError as fault:
        raise CannotStart(f"{snapshots.aside(paths)} cannot be removed: {fault}; next: mend that") from None


def _check_copy(paths: Paths, chosen: Settings) -> None:
    """Raises CannotStart when this data cannot be copied, or another copy is in the way; OSError."""
    faults = [] if chosen.mongodb_uri else snapshots.find_obstacles(paths)
    if unknown := snapshots.find_unknown(paths):
        faults.append(unknown)
    if faults:
        raise CannotStart("\n".join(faults))


def _find_level(paths: Paths, chosen: Settings, wanted: int) -> int:
    """Raises CannotStart when it cannot be known, and might be another one."""
    known = levels.noted(chosen)
    if chosen.mongodb_uri is None:
        if known is not None:
            return known
        if not _has_data(paths):
            levels.note(chosen, wanted)
            return wanted
    status, told = _ask("look", paths)
    if status == 0:
        return int(told[-1])
    if status == AWAY and chosen.mongodb_uri and wanted == (known or levels.BASELINE):
        return wanted  # it was so when it was seen last: it may come back while we run
    raise CannotStart(f"nobody knows the level of the data: {_fault(told)}")


def _has_data(paths: Paths) -> bool:
    data = paths.mongo / "data"
    return data.is_dir() and any(data.iterdir())


def _check_room(paths: Paths, chosen: Settings) -> None:
    """Raises OSError."""
    needed = 0 if chosen.mongodb_uri else snapshots.needed(paths)
    needed += preflight.NEEDED_BYTES  # the migrations' own
    if (free := disk.free_bytes(paths.data)) < needed:
        what = (
            f"a copy of the data and the migrations need {needed // 2**20} MiB, {free // 2**20} MiB are free"
        )
        raise OSError(errno.ENOSPC, what, str(paths.data))


def _copy(paths: Paths, chosen: Settings, about: About, say: Say) -> None:
    snapshots.begin(paths, about)
    if chosen.mongodb_uri is None:
        snapshots.take(paths)
        snapshots.arm(paths, about)
        say(f"copied the data as it is to {snapshots.folder(paths)}")
    # Else it is the migrating process that makes a backup first: it holds the database's lock.


def _undo(paths: Paths, chosen: Settings, about: About, fault: Exception) -> str:
    """What to tell. Raises CannotStart when it cannot be undone now: the next start does that."""
    mark, left = snapshots.read(paths), ""
    try:
        if mark is not None and mark.phase == "migrating":
            left = _put_back(paths, chosen)
        elif mark is not None:
            snapshots.throw_away(paths)
    except (OSError, CannotStart) as second:
        raise CannotStart(
            f"the migration failed ({fault}), and the data is not put back yet ({second});"
            " next: mend that; any start, of the older code too, puts it back first"
        ) from None
    why = (
        f"{fault.filename}: {fault.strerror}" if isinstance(fault, OSError) and fault.filename else str(fault)
    )
    return (
        f"the data could not be brought from level {about.level} to {about.to}: {why};"
        f" {left or f'it is of level {about.level} as before'}; next: mend that and start again, or {OLDER}"
    )


def _put_back(paths: Paths, chosen: Settings) -> str:
    """What to tell when a database elsewhere is left as it is. Raises CannotStart, OSError."""
    if snapshots.archive(paths).exists():
        if chosen.mongodb_uri is None:
            raise CannotStart(
                f"{snapshots.archive(paths)} has to be put back into the database that it is of,"
                " and MONGODB_URI is not set; next: set it as it was, start again"
            )
        levels.forget(chosen)
        status, told = _ask("back", paths)
        if status == LEFT:
            snapshots.disarm(paths)
            return told[-1]
        if status:
            raise CannotStart(_not_put_back(paths, told))
    snapshots.put_back(paths)
    return ""


def _not_put_back(paths: Paths, told: list[str]) -> str:
    fault = _fault(told)
    if "; next: " in fault:
        return f"the database could not be put back: {fault}"
    return (
        f"the database could not be put back: {fault}; the backup of before stays in"
        f" {snapshots.archive(paths)}; next: start again; to keep the database as it is: mv"
        f" '{snapshots.mark(paths)}' ELSEWHERE, start again; to give up what it holds: empty it, then"
        f" ./scripts/appliance backup restore '{snapshots.archive(paths)}' --replace"
    )


def _too_new(paths: Paths, level: int, wanted: int) -> str:
    kept = snapshots.find(paths)
    back = ""
    if kept is not None and kept.level <= wanted:
        back = f", or give up what was stored since {kept.at}: ./scripts/appliance upgrade --back"
    return (
        f"the data in {paths.data} is of level {level}, and this code knows level {wanted} at most;"
        f" next: start the newer code again{back}, or restore a backup of before"
    )


def _run(mode: Mode, paths: Paths, say: Say) -> None:
    """Raises CannotStart with what went wrong, also when it was asked to stop."""
    status, told = _ask(mode, paths, say)
    if status:
        raise CannotStart(_fault(told))


def _fault(told: list[str]) -> str:
    named = [line.removeprefix("appliance: ") for line in told if line.startswith("appliance: ")]
    return "; ".join(named) or (told[-1] if told else "it ended without a word")


def _ask(mode: Mode, paths: Paths, say: Say = lambda _: None) -> tuple[int, list[str]]:
    """Exit status and lines. Raises CannotStart when `up` is told to stop meanwhile."""
    parent = os.getpid()

    def become_child() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        processes.die_with_parent(signal.SIGKILL, parent)

    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "appliance", "migrate", mode],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(HOME)},
        cwd=paths.run,
        process_group=0,  # Ctrl-C is for us
        preexec_fn=become_child,
    )
    try:
        return _listen(child, say)
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


def _listen(child: subprocess.Popen[bytes], say: Say) -> tuple[int, list[str]]:
    descriptor, rest, lines = child.stdout.fileno() if child.stdout else -1, b"", list[str]()
    while True:
        if select.select([descriptor], [], [], 0.1)[0]:
            part = os.read(descriptor, 65536)
            if not part:
                return child.wait(), lines
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                lines.append(line.decode(errors="replace"))
                say(lines[-1])
        if signal.sigtimedwait(_STOPS, 0):
            raise CannotStart("it was told to stop")
