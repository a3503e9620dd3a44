"""What the files of the command groups (`…_cli.py`) put a command together of.

A group's file has `add(commands)`, which tells the parser what there is, and a function a command, which
imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeAlias

Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name


def add_group(commands: Commands, name: str, help: str) -> Commands:
    return commands.add_parser(name, help=help, description=help).add_subparsers(
        required=True, metavar="COMMAND"
    )


def add_command(commands: Commands, name: str, command: Command, help: str) -> argparse.ArgumentParser:
    """Run as the owner of the data folder, unless `as_owner` is set to False."""
    parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(command=command, as_owner=True)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
