"""The commands that close the door, and that bring newer code: their words. What they do is imported late."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def hang_in(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Below `appliance`."""
    _maintenance(commands)
    _drain(commands)
    _upgrade(commands)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Callable[[argparse.Namespace], int],
    help: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help, allow_abbrev=False)
    parser.set_defaults(command=command, as_owner=True)
    return parser


def _maintenance(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "answer everybody with 503 and a page, or stop that"
    states = commands.add_parser("maintenance", help=what, description=what).add_subparsers(
        required=True, metavar="on|off|status"
    )
    _add_words(_add(states, "on", _on, "from the next request on"))
    _add(states, "off", _off, "open again; what a drain has paused goes on")
    _add_json(_add(states, "status", _status, "is it on, what does it say; exit 1 when it is"))


def _drain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    what = "close the door, and wait for what is under way; exit 1 when it takes too long"
    parser = _add(commands, "drain", _drained, what)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=int, default=300, help="wait for so long (default 300)"
    )
    _add_words(parser)
    _add_json(parser)


def _upgrade(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        commands, "upgrade", _upgraded, "newer code; what was there comes back when it does not get ready"
    )
    parser.set_defaults(as_owner=False)
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        type=Path,
        nargs="?",
        help="with the newer release: a checkout, or an unpacked one",
    )
    parser.add_argument("--check", action="store_true", help="only say what would be done; exit 0, 1 or 2")
    parser.add_argument(
        "--drain",
        metavar="SECONDS",
        type=int,
        default=60,
        help="wait so long for what is under way (default 60)",
    )
    parser.add_argument(
        "--ready", metavar="SECONDS", type=int, default=300, help="give it so long to get ready (default 300)"
    )
    parser.add_argument(
        "--back", action="store_true", help="give up what was stored since the last migration of the data"
    )
    parser.add_argument("--yes", action="store_true", help="--back without being asked")
    # Not for people: of the unit, and of a way back.
    parser.add_argument("--resume", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--above", type=int, help=argparse.SUPPRESS)
    _add_json(parser)


def _add_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--message", metavar="TEXT", default="", help="what the page and the answers say")
    parser.add_argument(
        "--for", metavar="30m", dest="duration", help="how long it will take; others are told to wait so long"
    )


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _seconds(chosen: argparse.Namespace) -> int | None:
    from appliance.ops import maintenance

    return maintenance.parse_duration(chosen.duration) if chosen.duration else None


def _on(chosen: argparse.Namespace) -> int:
    from appliance.ops import maintenance

    return maintenance.on(message=chosen.message, duration=_seconds(chosen))


def _off(_: argparse.Namespace) -> int:
    from appliance.ops import maintenance

    return maintenance.off()


def _status(chosen: argparse.Namespace) -> int:
    from appliance.ops import maintenance

    return maintenance.status(as_json=chosen.json)


def _upgraded(chosen: argparse.Namespace) -> int:
    from appliance.errors import CannotStart

    if chosen.resume:
        from appliance.ops import upgrade

        return upgrade.resume()
    if chosen.back:
        from appliance.ops import upgrade_back

        return upgrade_back.run(sure=chosen.yes, above=chosen.above)
    if chosen.folder is None:
        raise CannotStart("which release? next: appliance upgrade FOLDER, the folder of the newer one")
    if chosen.check:
        from appliance.ops import upgrade_check

        return upgrade_check.run(chosen.folder, as_json=chosen.json)
    if chosen.json:
        raise CannotStart("--json is for --check; next: the same without it")
    from appliance.ops import upgrade

    return upgrade.run(chosen.folder, drain_seconds=chosen.drain, ready_seconds=chosen.ready)


def _drained(chosen: argparse.Namespace) -> int:
    from appliance.ops import drain

    return drain.run(
        message=chosen.message, duration=_seconds(chosen), timeout=chosen.timeout, as_json=chosen.json
    )
