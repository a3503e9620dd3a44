"""`appliance backup`: everything in one encrypted file, and back again."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any, Final

import pyrage
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from appliance import settings
from appliance.addresses import Paths
from appliance.backups import archive, keys
from appliance.backups.archive import Damaged
from appliance.clock import rfc3339
from appliance.errors import CannotStart, Conflict, Problem
from appliance.ops import drilling, parent, restoring
from appliance.ops.progress import Told
from appliance.ops.restoring import Restored
from appliance.ops.table import print_table, size
from appliance.services import backup_making, backups
from appliance.services.backups import Row
from appliance.settings import Settings

FAULTS: Final = (Damaged, Problem, PyMongoError, BSONError, OSError)


def create(folder: Path | None, *, as_json: bool, told: Told) -> int:
    """While the appliance runs. Raises CannotStart."""
    asked = settings.load()
    if parent.find(Paths(asked.data)) is None and asked.mongodb_uri is None:
        raise CannotStart("the appliance is not running, so nobody reads its database; next: ./scripts/up")
    started = time.monotonic()
    try:
        made = backup_making.create(asked, _absolute(folder), told)
    except FAULTS as fault:
        raise CannotStart(f"no backup was made: {fault}") from None
    shown = {
        "path": str(made.path),
        "bytes": made.bytes,
        "documents": made.documents,
        "responses": made.responses,
        "files": made.files,
        "missing_files": made.missing,
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        what = f"{made.documents} documents, {made.files} files, {size(made.bytes)}"
        print(f"{made.path}: {what} in {shown['seconds']} s, read back whole")
        print(f"its key is {Paths(asked.data).backup_key}; keep a copy elsewhere: nothing else opens it")
    for file_id in made.missing:
        print(f"the file {file_id} is lost: the database knows it, the disk does not", file=sys.stderr)
    return 1 if made.missing else 0


def check(path: Path, key: Path | None, *, as_json: bool, told: Told) -> int:
    """Read all of it. Raises CannotStart when it is not whole."""
    asked = settings.load()
    found, identities = _known(asked, path), _identities(asked, key)
    try:
        manifest = archive.check(found, *identities, told=told)
    except OSError as fault:
        raise CannotStart(str(fault)) from None
    except Damaged as fault:
        _note(asked, found, key, fault)
        raise CannotStart(str(fault)) from None
    _note(asked, found, key, None)
    documents = sum(each["documents"] for each in manifest["collections"].values())
    files = sum(name.startswith(backup_making.FILES) for name in manifest["members"])
    if as_json:
        shown = {name: manifest[name] for name in ("created_at", "collections", "missing_files")}
        print(json.dumps({**shown, "documents": documents, "files": files}, indent=2))
    else:
        print(f"{path} is whole: of {manifest['created_at']}, {documents} documents, {files} files")
    return 0


def _note(asked: Settings, path: Path, key: Path | None, fault: Damaged | None) -> None:
    """What another key than the appliance's own does not open is none the worse for that."""
    if key is None:
        with contextlib.suppress(OSError):
            backups.read_wholly(asked, path, fault)


def show(folder: Path | None, *, as_json: bool) -> int:
    """The backups of a folder, oldest first."""
    asked = settings.load()
    place = _absolute(folder) or backups.folder_of(asked)
    if not place.is_dir() and place != Paths(asked.data).backups:
        raise CannotStart(f"there is no folder {place}; next: mount its disk, or make it, or --folder")
    rows = backups.rows(asked, place)
    if as_json:
        print(json.dumps({"backups": [_row(row) for row in rows]}, indent=2))
    elif not rows:
        print("there is no backup; next: ./scripts/appliance backup create")
    else:
        titles = ("BACKUP", "SIZE", "RESPONSES", "READ WHOLLY", "TRIED OUT", "")
        print_table(titles, [_cells(row) for row in rows])
    return 0


def _row(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"path": str(row.path), "bytes": row.bytes, "ours": row.known is not None}
    if (known := row.known) is not None:
        told |= {"responses": known.responses, "whole_at": rfc3339(known.whole_at), "fault": known.fault}
        told["drilled_at"] = rfc3339(known.drilled_at) if known.drilled_at else None
    return told


def _cells(row: Row) -> tuple[str, ...]:
    if (known := row.known) is None:
        return str(row.path), size(row.bytes), "-", "-", "-", "not made here"
    drilled = rfc3339(known.drilled_at) if known.drilled_at else "-"
    read = rfc3339(known.whole_at)
    return str(row.path), size(row.bytes), str(known.responses), read, drilled, row.fault or ""


def drill(path: Path | None, key: Path | None, *, as_json: bool, told: Told) -> int:
    """Restore one aside and compare it; by default the newest. Raises CannotStart."""
    asked = settings.load()
    if not Paths(asked.data).backups.is_dir():
        raise CannotStart(f"{asked.data} is no data folder of an appliance yet; next: ./scripts/up")
    found = _known(asked, path) if path else backups.newest(asked)
    if found is None:
        raise CannotStart("there is no backup that was made here; next: ./scripts/appliance backup create")
    identities = _identities(asked, key)
    is_noted = key is None and any(row.path == found and row.known for row in backups.rows(asked))
    try:
        done = drilling.drill(asked, found, identities, told, noted=is_noted)
    except Conflict as fault:
        raise CannotStart(str(fault)) from None
    except (*FAULTS, CannotStart) as fault:
        if is_noted:
            backups.failed(asked, "drill", str(fault), found, is_damaged=isinstance(fault, Damaged))
        raise CannotStart(f"{found} could not be restored: {fault}") from None
    if as_json:
        print(json.dumps({"path": str(found), **done._asdict()}, indent=2))
    else:
        what = f"{done.documents} documents ({done.responses} responses) and {done.files} files"
        print(f"{found} can be restored: of {done.made_at}, {what} are equal; {done.seconds} s")
    return 0


def prune(*, as_json: bool) -> int:
    """Remove the backups that BACKUP_KEEP_… do not keep. Raises CannotStart."""
    asked = settings.load()
    try:
        removed = backups.prune(asked)
    except (Problem, OSError) as fault:
        raise CannotStart(f"nothing was removed: {fault}") from None
    if as_json:
        print(json.dumps({"removed": [str(path) for path in removed]}, indent=2))
        return 0
    for path in removed:
        print(f"removed {path}")
    print(f"{len(removed)} removed, {len(backups.rows(asked))} left")
    return 0


def restore(
    path: Path, key: Path | None, erased: Path | None, *, replace: bool, as_json: bool, told: Told
) -> int:
    """Into the data folder, and where one is set into the database of MONGODB_URI. Raises CannotStart; then
    nothing was changed.
    """
    asked = settings.load()
    data, identities = asked.data, _identities(asked, key)
    path = _known(asked, path)
    _check_target(data, erased, replace=replace)
    with parent.hold(Paths(data)) as pid:
        if pid is not None:
            raise CannotStart(_RUNS.format(pid))
        try:
            done = restoring.restore(asked, path, identities, told, erased)
        except (Damaged, Problem, PyMongoError, BSONError, OSError) as fault:
            raise CannotStart(f"nothing was changed: {fault}") from None
    if as_json:
        before = str(done.before) if done.before else None
        shown = {"data": str(data), "before": before, "erased_anew": done.erased.responses}
        print(json.dumps(shown | {"without_admin": done.erased.is_without_admin}, indent=2))
    else:
        _tell_restored(asked, done)
    return 0


_RUNS: Final = "the appliance runs as process {}; next: stop it, run this again"


def _check_target(data: Path, erased: Path | None, *, replace: bool) -> None:
    """Raises CannotStart."""
    if erased is not None and not erased.is_dir():
        raise CannotStart(f"there is no folder {erased}; next: name a copy of a data folder's erasures/")
    if (pid := parent.find(Paths(data))) is not None:
        raise CannotStart(_RUNS.format(pid))
    if data.exists() and any(each.name != "lost+found" for each in data.iterdir()) and not replace:
        raise CannotStart(
            f"{data} is not empty; next: --replace, which keeps what is there under another name"
        )


def _tell_restored(asked: Settings, done: Restored) -> None:
    data = asked.data
    outside = "" if asked.mongodb_uri is None else ", and so is the database of MONGODB_URI"
    print(f"{data} is what was backed up{outside}")
    print(
        "passwords and keys are those of then too; what was rotated since because it had become known:"
        " ./scripts/appliance secrets rotate all, once it runs"
    )
    if done.erased.responses:
        print(f"responses in it that were erased since, and now again: {done.erased.responses}")
    if done.before is not None:
        print(f"what was there before is {done.before}; when all is well, remove it: rm -r {done.before}")
    if (data / backup_making.SETTINGS).is_file():
        print(f"the settings of then are {data / backup_making.SETTINGS}; .env was left as it is")
    named = f"APPLIANCE_DATA={shlex.quote(str(data))} " if "APPLIANCE_DATA" in os.environ else ""
    print(f"next: {named}./scripts/up")
    if done.erased.is_without_admin:
        print(
            "its only admin was erased since, and now again, so nobody can sign in as one;"
            f" then: {named}./scripts/appliance user add NAME --role admin"
        )


def show_key(*, as_json: bool) -> int:
    """The keys themselves, for a place that is not this machine. Makes one when there is none."""
    path = Paths(settings.load().data).backup_key
    try:
        keys.ensure(path)
        found = [str(each) for each in keys.read_all(path)]
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; next: ./scripts/up makes the data folder") from None
    print(json.dumps({"keys": found}, indent=2) if as_json else "\n".join(found))
    return 0


def _known(asked: Settings, path: Path) -> Path:
    """A file, or the name of one in `backups/`. Raises CannotStart."""
    for each in (path, backups.folder_of(asked) / path.name, Paths(asked.data).backups / path.name):
        if each.is_file():
            return each.resolve()
    raise CannotStart(f"there is no file {path}; next: ./scripts/appliance backup list")


def _absolute(folder: Path | None) -> Path | None:
    return folder.expanduser().resolve() if folder else None


def _identities(asked: Settings, key: Path | None) -> list[pyrage.x25519.Identity]:
    return keys.read_all(key or Paths(asked.data).backup_key)
