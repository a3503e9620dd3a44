"""`appliance backup`: everything in one encrypted file, and back again."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import pyrage
from bson.errors import BSONError
from pymongo.errors import PyMongoError

from appliance import settings
from appliance.addresses import Paths
from appliance.backups import archive, keys
from appliance.backups.archive import Damaged
from appliance.errors import CannotStart, Problem
from appliance.ops import parent, restoring
from appliance.ops.table import print_table, size
from appliance.services import backup_making
from appliance.settings import Settings


def create(folder: Path | None, *, as_json: bool) -> int:
    """While the appliance runs. Raises CannotStart."""
    asked = settings.load()
    if parent.find(Paths(asked.data)) is None and asked.mongodb_uri is None:
        raise CannotStart("the appliance is not running, so nobody reads its database; next: ./scripts/up")
    started = time.monotonic()
    try:
        made = backup_making.make(asked, _folder(asked, folder), _tell)
    except (Problem, PyMongoError, OSError) as fault:
        raise CannotStart(f"no backup was made: {fault}") from None
    length = made.path.stat().st_size
    told = {
        "path": str(made.path),
        "bytes": length,
        "documents": made.documents,
        "files": made.files,
        "missing_files": made.missing,
        "seconds": round(time.monotonic() - started, 1),
    }
    if as_json:
        print(json.dumps(told, indent=2))
    else:
        what = f"{made.documents} documents, {made.files} files, {size(length)}"
        print(f"{made.path}: {what} in {told['seconds']} s")
        print(f"its key is {Paths(asked.data).backup_key}; keep a copy elsewhere: nothing else opens it")
    for file_id in made.missing:
        print(f"the file {file_id} is lost: the database knows it, the disk does not", file=sys.stderr)
    return 1 if made.missing else 0


def check(path: Path, key: Path | None, *, as_json: bool) -> int:
    """Read all of it. Raises CannotStart when it is not whole."""
    asked = settings.load()
    manifest = _whole(_known(asked, path), _identities(asked, key))
    documents = sum(each["documents"] for each in manifest["collections"].values())
    files = sum(name.startswith(backup_making.FILES) for name in manifest["members"])
    if as_json:
        told = {name: manifest[name] for name in ("created_at", "collections", "missing_files")}
        print(json.dumps({**told, "documents": documents, "files": files}, indent=2))
    else:
        print(f"{path} is whole: of {manifest['created_at']}, {documents} documents, {files} files")
    return 0


def show(folder: Path | None, *, as_json: bool) -> int:
    """The backups of a folder, oldest first."""
    found = sorted(_folder(settings.load(), folder).glob(f"appliance-*{backup_making.SUFFIX}"))
    if as_json:
        rows = [{"path": str(path), "bytes": path.stat().st_size} for path in found]
        print(json.dumps({"backups": rows}, indent=2))
    elif not found:
        print("there is no backup; next: ./scripts/appliance backup create")
    else:
        print_table(("BACKUP", "SIZE"), [(str(path), size(path.stat().st_size)) for path in found])
    return 0


def restore(path: Path, key: Path | None, *, replace: bool) -> int:
    """Into the data folder. Raises CannotStart; then nothing was changed."""
    asked = settings.load()
    if asked.mongodb_uri is not None:
        raise CannotStart("MONGODB_URI is set; a backup is restored into the appliance's own database only")
    data, identities = asked.data, _identities(asked, key)
    path = _known(asked, path)
    if (pid := parent.find(Paths(data))) is not None:
        raise CannotStart(f"the appliance runs as process {pid}; next: stop it, run this again")
    if data.exists() and any(data.iterdir()) and not replace:
        raise CannotStart(f"{data} is not empty; next: --replace, which keeps what is there beside it")
    with parent.hold(Paths(data)) as pid:
        if pid is not None:
            raise CannotStart(f"the appliance runs as process {pid}; next: stop it, run this again")
        try:
            before = restoring.restore(asked, path, identities, _tell)
        except (Damaged, PyMongoError, BSONError, OSError) as fault:
            raise CannotStart(f"nothing was changed: {fault}") from None
    print(f"{data} is what was backed up")
    if before is not None:
        print(f"what was there before is {before}; when all is well, remove it: rm -r {before}")
    if (data / backup_making.SETTINGS).is_file():
        print(f"the settings of then are {data / backup_making.SETTINGS}; .env was left as it is")
    named = f"APPLIANCE_DATA={shlex.quote(str(data))} " if "APPLIANCE_DATA" in os.environ else ""
    print(f"next: {named}./scripts/up")
    return 0


def show_key() -> int:
    """The keys themselves, for a place that is not this machine. Makes one when there is none."""
    path = Paths(settings.load().data).backup_key
    try:
        keys.ensure(path)
        for each in keys.read_all(path):
            print(each)
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; next: ./scripts/up makes the data folder") from None
    return 0


def _known(asked: Settings, path: Path) -> Path:
    """A file, or the name of one in `backups/`. Raises CannotStart."""
    for each in (path, Paths(asked.data).backups / path.name):
        if each.is_file():
            return each
    raise CannotStart(f"there is no file {path}; next: ./scripts/appliance backup list")


def _folder(asked: Settings, folder: Path | None) -> Path:
    return folder.expanduser().resolve() if folder else Paths(asked.data).backups


def _identities(asked: Settings, key: Path | None) -> list[pyrage.x25519.Identity]:
    return keys.read_all(key or Paths(asked.data).backup_key)


def _whole(path: Path, identities: list[pyrage.x25519.Identity]) -> Any:
    try:
        return archive.check(path, *identities)
    except (Damaged, OSError) as fault:
        raise CannotStart(str(fault)) from None


def _tell(done: int, total: int) -> None:
    """On a terminal, in a line that is written over; it comes some times a second."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{done} of {total} documents", end=end, file=sys.stderr, flush=True)
