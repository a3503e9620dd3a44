"""What the files of the command groups (`…_cli.py`) put a command together of.

A group's file has `add(commands)`, which tells the parser what there is, and a function a command, which
imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeAlias

Command = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - it has no other name


class Parser(argparse.ArgumentParser):
    """Refuses in JSON where JSON was asked for."""

    words: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.words = list(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        if "--json" in self.words:
            tell_fault(message, as_json=True)
            self.exit(2)
        super().error(message)


def tell_fault(told: str, *, as_json: bool) -> None:
    """On stderr, so that stdout has an answer or nothing."""
    if as_json:
        first, *rest = told.splitlines() or [""]
        what, _, mend = first.partition("; next: ")
        print(json.dumps({"error": "\n".join([what, *rest]), "next": mend or None}), file=sys.stderr)
        return
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)  # a bar may stand there (`progress`)
    for line in told.splitlines():
        print(f"appliance: {line}", file=sys.stderr)


def add_group(commands: Commands, name: str, help: str) -> Commands:
    return commands.add_parser(name, help=help, description=help).add_subparsers(
        required=True, metavar="COMMAND"
    )


def add_command(commands: Commands, name: str, command: Command, help: str) -> Parser:
    """Run as the owner of the data folder, unless `as_owner` is set to False."""
    parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(command=command, as_owner=True)
    return parser


def add_json(parser: Parser) -> None:
    """The command prints one JSON document then, and nothing else on stdout."""
    parser.add_argument("--json", action="store_true", help="for programs")


def add_json_of_lines(parser: Parser) -> None:
    """The same for a command that only says what it does: it need not know."""
    add_json(parser)
    told = parser.get_default("command")

    def command(chosen: argparse.Namespace) -> int:
        return in_json(told, chosen) if chosen.json else int(told(chosen))

    parser.set_defaults(command=command)


def in_json(command: Command, chosen: argparse.Namespace) -> int:
    """What the command says, as one document; its exit status."""
    with contextlib.redirect_stdout(io.StringIO()) as told:
        status = command(chosen)
    print(json.dumps({"exit": status, "lines": told.getvalue().splitlines()}, indent=2))
    return status


def add_quiet(parser: Parser) -> None:
    """For what takes long and tells how far it is; `--json` is as quiet."""
    parser.add_argument("--quiet", action="store_true", help="do not tell how far it is")
