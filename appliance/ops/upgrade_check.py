"""`appliance upgrade FOLDER --check`: what the newer code would do, and whether it could. Changes nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from appliance import __version__, disk, levels, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import release, service, upgrade_code, upgrade_journal
from appliance.ops.release import Release
from appliance.ops.table import size
from appliance.runtime import place, preflight, snapshots
from appliance.settings import HOME, Settings


class Found(NamedTuple):
    here: Release
    there: Release
    level: int | None
    """Of the data; None before the first start."""
    pending: list[levels.Step]
    makes_venvs: list[str]
    """Those whose pins have changed: an index has to be reachable for them."""
    faults: list[str]
    """Why it cannot be, each with what to do."""
    notes: list[str]
    """What is to be known before."""


def run(folder: Path, *, as_json: bool) -> int:
    """0 when it can be done, 1 when there is something to be known before, 2 when it cannot.

    Raises CannotStart.
    """
    found = look(folder.resolve(), settings.load())
    if as_json:
        print(json.dumps(_told(found), indent=2))
    else:
        _print(found)
    return 2 if found.faults else 1 if found.notes else 0


def look(folder: Path, chosen: Settings) -> Found:
    """Raises CannotStart when there is no release."""
    if folder == HOME:
        raise CannotStart(f"{folder} is what runs here; next: name the folder of the newer code")
    here, there = release.read(HOME), release.read(folder)
    place.check_readable(chosen.data)
    level = find_level(chosen)
    pending = [] if level is None else levels.pending(level, folder)
    makes = upgrade_code.to_be_made(there)
    notes = (
        [f"{there.version} is older than {here.version}: a downgrade"] if there.is_older_than(here) else []
    )
    if (begun := upgrade_journal.read()) is not None:
        notes.append(f"an upgrade to {begun.to} has not ended ({begun.phase}): it is rolled back first")
    faults = [
        *_place(),
        *_level_faults(level, there),
        *_copy(chosen, bool(pending)),
        *_room(chosen, there, bool(pending), makes),
        *_settings(folder),
    ]
    return Found(here, there, level, pending, makes, faults, notes)


def find_level(chosen: Settings) -> int | None:
    """Of the data, as it was seen last."""
    if (noted := levels.noted(chosen)) is not None:
        return noted
    data = Paths(chosen.data).mongo / "data"
    return levels.BASELINE if chosen.mongodb_uri or data.is_dir() else None


def _place() -> list[str]:
    if service.is_installed() and disk.is_mount(HOME):
        return [f"{HOME} is a mount, which cannot change places; next: install elsewhere (scripts/install)"]
    return []


def _level_faults(level: int | None, there: Release) -> list[str]:
    if level is None or level <= there.level:
        return []
    fault = (
        f"the data is of level {level}, and {there.version} knows level {there.level} at most;"
        " next: take a newer release, or restore a backup of before"
    )
    return [fault]


def _copy(chosen: Settings, migrates: bool) -> list[str]:
    """What a start of the newer code would refuse before it copies the data."""
    paths = Paths(chosen.data)
    if not migrates:
        return []
    unknown = snapshots.find_unknown(paths) if snapshots.read(paths) is None else ""
    obstacles = [] if chosen.mongodb_uri else snapshots.find_obstacles(paths)
    return [*obstacles, *([unknown] if unknown else [])]


def _room(chosen: Settings, there: Release, migrates: bool, makes: list[str]) -> list[str]:
    code = sum(disk.bytes_of(there.folder / name) for name in there.contents)
    code += sum(disk.bytes_of(HOME / name) for name in makes)
    wanted = [(HOME.parent, code, "a second copy of the code")] if service.is_installed() else []
    if migrates:
        copied = 0 if chosen.mongodb_uri else snapshots.needed(Paths(chosen.data))
        wanted.append((chosen.data, copied, "a copy of the data"))
    faults = []
    for folder, needed, what in wanted:
        needed, free = needed + preflight.NEEDED_BYTES, disk.free_bytes(folder)
        if free < needed:
            told = f"{size(needed)} on the disk of {folder}, {size(free)} are free; next: see df -h {folder}"
            faults.append(f"{what} needs {told}")
    return faults


def _settings(folder: Path) -> list[str]:
    """Whether the newer code takes the settings of today: it is asked itself."""
    told = subprocess.run(
        [str(upgrade_code.python(HOME)), "-P", "-m", "appliance", "config", "show", "--json"],
        env={**os.environ, "PYTHONPATH": str(folder), settings.HELD: str(settings.find_dotenv(os.environ)),
             "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if told.returncode == 0 or "ModuleNotFoundError" in told.stderr:  # it has its own packages, later
        return []
    lines = told.stderr.strip().splitlines() or ["it says nothing"]
    return [f"the newer code cannot use today's settings: {lines[-1].removeprefix('appliance: ')}"]


def _told(found: Found) -> dict[str, object]:
    return {
        "version": __version__,
        "to": found.there.version,
        "level": found.level,
        "to_level": found.there.level,
        "pending": [{"number": step.number, "name": step.name} for step in found.pending],
        "downgrade": found.there.is_older_than(found.here),
        "new_packages": found.makes_venvs,
        "faults": found.faults,
        "notes": found.notes,
    }


def _print(found: Found) -> None:
    level = "none yet" if found.level is None else str(found.level)
    print(f"code      {found.here.version} here, {found.there.version} in {found.there.folder}")
    print(f"data      level {level}, that code's is {found.there.level}")
    names = ", ".join(f"{step.number} ({step.name})" for step in found.pending)
    print(f"migrates  {names or 'nothing'}")
    print(f"packages  {', '.join(found.makes_venvs) + ' made anew' if found.makes_venvs else 'as they are'}")
    for line in (*found.notes, *found.faults):
        print(line)
    if not found.faults:
        print("it can be done; nothing was changed")
