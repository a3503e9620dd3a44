"""The commands that close the door, and that bring newer code: their words. What they do is imported late."""

from __future__ import annotations

import argparse
from pathlib import Path

from appliance.ops.command_line import (
    Commands,
    Parser,
    add_command,
    add_group,
    add_json,
    add_json_of_lines,
    in_json,
)


def add(commands: Commands) -> None:
    _maintenance(commands)
    _drain(commands)
    _upgrade(commands)


def _maintenance(commands: Commands) -> None:
    states = add_group(commands, "maintenance", "answer everybody with 503 and a page, or stop that")
    closed = add_command(states, "on", _on, "from the next request on")
    _add_words(closed)
    opened = add_command(states, "off", _off, "open again; what a drain has paused goes on")
    for each in (closed, opened):
        add_json_of_lines(each)
    add_json(add_command(states, "status", _status, "is it on, what does it say; exit 1 when it is"))


def _drain(commands: Commands) -> None:
    what = "close the door, and wait for what is under way; exit 1 when it takes too long"
    parser = add_command(commands, "drain", _drained, what)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=int, default=300, help="wait for so long (default 300)"
    )
    _add_words(parser)
    add_json(parser)


def _upgrade(commands: Commands) -> None:
    parser = add_command(
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
    add_json(parser)


def _add_words(parser: Parser) -> None:
    parser.add_argument("--message", metavar="TEXT", default="", help="what the page and the answers say")
    parser.add_argument(
        "--for", metavar="30m", dest="duration", help="how long it will take; others are told to wait so long"
    )


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
    if chosen.check and chosen.folder is not None:
        from appliance.ops import upgrade_check

        return upgrade_check.run(chosen.folder, as_json=chosen.json)
    return in_json(_upgrading, chosen) if chosen.json else _upgrading(chosen)


def _upgrading(chosen: argparse.Namespace) -> int:
    from appliance.errors import CannotStart

    if chosen.resume:
        from appliance.ops import upgrade

        return upgrade.resume()
    if chosen.back:
        from appliance.ops import upgrade_back

        return upgrade_back.run(sure=chosen.yes, above=chosen.above)
    if chosen.folder is None:
        raise CannotStart("which release? next: ./scripts/appliance upgrade FOLDER, that of the newer one")
    from appliance.ops import upgrade

    return upgrade.run(chosen.folder, drain_seconds=chosen.drain, ready_seconds=chosen.ready)


def _drained(chosen: argparse.Namespace) -> int:
    from appliance.ops import drain

    return drain.run(
        message=chosen.message, duration=_seconds(chosen), timeout=chosen.timeout, as_json=chosen.json
    )
