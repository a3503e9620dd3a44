"""`appliance move`, `uninstall` and `size`: where it lies, and on what."""

from __future__ import annotations

import argparse
from pathlib import Path

from appliance.errors import CannotStart
from appliance.ops import completers
from appliance.ops.command_line import Commands, add_command, add_json, add_json_of_lines, add_quiet
from appliance.ops.completers import complete_by


def add(commands: Commands) -> None:
    move = add_command(
        commands, "move", _move, "move the data folder to another place or disk; the old one is kept"
    )
    folder = move.add_argument("folder", metavar="FOLDER", help="where it is to lie")
    complete_by(folder, completers.folders)
    uninstall = add_command(
        commands, "uninstall", _uninstall, "undo scripts/install; state and settings are kept"
    )
    uninstall.add_argument(
        "--purge", action="store_true", help="delete state and settings too, when confirmed"
    )
    uninstall.add_argument("--yes", action="store_true", help="without being asked")
    add_quiet(move)
    for one in (move, uninstall):
        one.set_defaults(as_owner=False)
        add_json_of_lines(one)
    size = add_command(commands, "size", _size, "CPUs, memory and disk for so many responses a day: advice")
    size.add_argument("responses", metavar="RESPONSES", type=int, help="a day")
    size.add_argument(
        "--kilobytes", metavar="KB", type=float, default=1.0, help="of one response (default 1)"
    )
    add_json(size)


def _move(chosen: argparse.Namespace) -> int:
    from appliance.ops import move, progress
    from appliance.ops.table import size

    told = progress.of("copied and compared", quiet=chosen.quiet or chosen.json, show=size)
    return move.run(Path(chosen.folder), told)


def _uninstall(chosen: argparse.Namespace) -> int:
    from appliance.ops import uninstall

    if chosen.json and chosen.purge and not chosen.yes:
        raise CannotStart("with --json nobody can be asked; next: --yes")
    return uninstall.run(purge=chosen.purge, sure=chosen.yes)


def _size(chosen: argparse.Namespace) -> int:
    from appliance.ops import size

    return size.run(chosen.responses, kilobytes=chosen.kilobytes, as_json=chosen.json)
