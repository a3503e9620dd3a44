"""The command `appliance`: one file per command group, below `ops/` (`…_cli.py`).

Each command's code is imported when it runs, and a group's when it is not `launch`, so that this starts fast.
Exit status: 0 done and well, 1 done and not well, 2 refused or could not be done; for doctor 1 warnings,
2 errors.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Collection, Sequence

from appliance import __version__
from appliance.errors import CannotStart, SettingError, with_mend
from appliance.ops.command_line import Command, Commands, Parser, tell_fault

LAUNCH = "launch"
"""supervisord's own way in, which nobody is shown."""
MIGRATE = "migrate"
"""The same of `up`, for what it does with older data."""
COMPLETING = "_ARGCOMPLETE"
"""In the environment while a shell asks what may come next."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. A fault that the operator can mend is told without a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser, names = _parser(words)
    if arguments is None and COMPLETING in os.environ:
        from appliance.ops import completers

        completers.answer(parser)
    if words and not words[0].startswith("-") and words[0] not in names:
        parser.words = words
        parser.error(_unknown(words[0], names))
    chosen = parser.parse_args(words)
    command: Command = chosen.command
    try:
        # Called by other code, such as a test, it must leave that process who it is.
        if arguments is None and os.geteuid() == 0 and chosen.as_owner:
            from appliance.runtime import ownership

            ownership.step_down()
        status = command(chosen)
        sys.stdout.flush()  # here, where it is no fault that nobody reads any more
        return status
    except (SettingError, CannotStart) as fault:
        told = with_mend(fault) if isinstance(fault, SettingError) else str(fault)
        tell_fault(told, as_json=getattr(chosen, "json", False))
        return 2
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`): no fault. Python would complain again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _unknown(word: str, names: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    return f"there is no command {word!r}; {hint}"


def _parser(words: Sequence[str]) -> tuple[Parser, Collection[str]]:
    """The parser and the commands' names."""
    parser = Parser(
        prog="appliance",
        description="The forms appliance. Settings: docs/settings.md.",
        epilog="Exit status: 0 done and well, 1 done and not well, 2 refused or could not be done;"
        " of doctor: 1 warnings, 2 errors.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"appliance {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    if words[:1] == [LAUNCH]:
        launch = commands.add_parser(LAUNCH, description="become one of the programs", allow_abbrev=False)
        launch.set_defaults(command=_launch, as_owner=False)
        launch.add_argument("name", metavar="NAME")
    elif words[:1] == [MIGRATE]:
        migrate = commands.add_parser(MIGRATE, description="what up does with data", allow_abbrev=False)
        migrate.set_defaults(command=_migrate, as_owner=False)
        migrate.add_argument("mode", choices=["look", "run", "back"])
    else:
        _add_groups(commands)
    return parser, commands.choices.keys()


def _add_groups(commands: Commands) -> None:
    """In the order that `--help` shows."""
    from appliance.ops import (
        alerts_cli,
        audit_cli,
        backup_cli,
        completion_cli,
        config_cli,
        erase_cli,
        installation_cli,
        lake_cli,
        logs_cli,
        models_cli,
        queues_cli,
        running_cli,
        secrets_cli,
        support_cli,
        upgrade_cli,
        users_cli,
    )

    running_cli.add(commands)
    config_cli.add(commands)
    logs_cli.add(commands)
    alerts_cli.add(commands)
    support_cli.add(commands)
    users_cli.add(commands)
    secrets_cli.add(commands)
    queues_cli.add(commands)
    models_cli.add(commands)
    lake_cli.add(commands)
    backup_cli.add(commands)
    erase_cli.add(commands)
    audit_cli.add(commands)
    upgrade_cli.add(commands)
    installation_cli.add(commands)
    completion_cli.add(commands)


def _launch(chosen: argparse.Namespace) -> int:
    from appliance.runtime.launch import launch

    launch(chosen.name)
    return 0


def _migrate(chosen: argparse.Namespace) -> int:
    from appliance.ops import migrating

    return migrating.run(chosen.mode)
