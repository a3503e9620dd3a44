"""`appliance backup …`: everything in one encrypted file, and back again."""

from __future__ import annotations

import argparse
from pathlib import Path

from appliance.ops import completers, progress
from appliance.ops.command_line import Commands, add_command, add_group, add_json, add_quiet
from appliance.ops.completers import complete_by
from appliance.ops.progress import Told


def add(commands: Commands) -> None:
    backups = add_group(commands, "backup", "everything in one encrypted file, and back again")
    create = add_command(backups, "create", _create, "make one while the appliance runs")
    listed = add_command(backups, "list", _list, "those that were made, oldest first")
    for one in (create, listed):
        folder = one.add_argument("--folder", metavar="FOLDER", type=Path, help="default: BACKUP_FOLDER")
        complete_by(folder, completers.folders)
    check = add_command(backups, "verify", _verify, "read all of one: is it whole")
    drill = add_command(backups, "drill", _drill, "restore one aside, compare it, take it away again")
    tried = drill.add_argument("file", metavar="FILE", type=Path, nargs="?", help="default: the newest")
    complete_by(tried, completers.backups)
    prune = add_command(
        backups, "prune", _prune, "remove those that BACKUP_KEEP_DAILY and _WEEKLY do not keep"
    )
    restore = add_command(backups, "restore", _restore, "make the data folder what it was")
    restore.set_defaults(as_owner=False)
    restore.add_argument(
        "--replace", action="store_true", help="also when it is not empty; it is kept beside"
    )
    restore.add_argument(
        "--erased", metavar="FOLDER", type=Path, help="records of erasures, beside the data folder's own"
    )
    for one in (check, restore):
        complete_by(one.add_argument("file", metavar="FILE", type=Path), completers.backups)
    for one in (check, restore, drill):
        key = one.add_argument("--key", metavar="FILE", type=Path, help="default: secrets/backup_key")
        complete_by(key, completers.files)
    shown = add_command(backups, "key", _key, "print the key that opens them, to keep it elsewhere")
    for one in (create, check, drill, restore):
        add_quiet(one)
    for one in (create, listed, check, drill, prune, restore, shown):
        add_json(one)


def _create(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.create(chosen.folder, as_json=chosen.json, told=_told(chosen, "documents"))


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.show(chosen.folder, as_json=chosen.json)


def _verify(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.check(chosen.file, chosen.key, as_json=chosen.json, told=_told(chosen, "read"))


def _drill(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.drill(chosen.file, chosen.key, as_json=chosen.json, told=_told(chosen, "documents"))


def _prune(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.prune(as_json=chosen.json)


def _restore(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.restore(
        chosen.file,
        chosen.key,
        chosen.erased,
        replace=chosen.replace,
        as_json=chosen.json,
        told=_told(chosen, "documents"),
    )


def _key(chosen: argparse.Namespace) -> int:
    from appliance.ops import backup

    return backup.show_key(as_json=chosen.json)


def _told(chosen: argparse.Namespace, what: str) -> Told:
    from appliance.ops.table import size

    return progress.of(what, quiet=chosen.quiet or chosen.json, show=size if what == "read" else str)
