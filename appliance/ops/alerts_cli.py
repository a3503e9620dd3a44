"""`appliance alerts …`: the parser of its commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any


def add(commands: Any) -> None:
    """To the parser's commands."""
    told = "what is wrong, who knows of it, and whether anybody is told"
    group = commands.add_parser("alerts", help=told, description=told)
    alerts = group.add_subparsers(required=True, metavar="COMMAND")

    shown = _add(alerts, "list", _list, "what fires, is acknowledged or silenced")
    shown.add_argument("--all", action="store_true", help="what is over too, the newest 200")
    one = _add(alerts, "show", _show, "one of them, with what became of it")
    acknowledged = _add(alerts, "ack", _ack, "you care for it: nobody is told again until it is over")
    acknowledged.add_argument("--undo", action="store_true", help="it is told again")
    silenced = _add(alerts, "silence", _silence, "nobody is told of it for so long, whether it ends or not")
    silenced.add_argument("--for", dest="span", metavar="SPAN", default="2h", help="30m, 2h, 3d (default 2h)")
    silenced.add_argument("--undo", action="store_true", help="it is told again")
    for each in (one, acknowledged, silenced):
        each.add_argument("alert", metavar="ALERT", help="its id, or its name where only one has it")
    for each in (acknowledged, silenced):
        each.add_argument("--note", metavar="TEXT", help="for those who look into the list")
    tested = _add(alerts, "test", _test, "send one through the whole way, and say what came of it")
    tested.add_argument(
        "--severity", choices=["info", "warning", "critical"], default="critical", help="(default critical)"
    )


def _add(
    commands: Any, name: str, command: Callable[[argparse.Namespace], int], told: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=told, description=told, allow_abbrev=False
    )
    parser.set_defaults(command=command, as_owner=True)
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import alerts

    return alerts.show_all(with_over=chosen.all, as_json=chosen.json)


def _show(chosen: argparse.Namespace) -> int:
    from appliance.ops import alerts

    return alerts.show(chosen.alert, as_json=chosen.json)


def _ack(chosen: argparse.Namespace) -> int:
    from appliance.ops import alerts

    return alerts.acknowledge(chosen.alert, chosen.note, undo=chosen.undo, as_json=chosen.json)


def _silence(chosen: argparse.Namespace) -> int:
    from appliance.ops import alerts

    return alerts.silence(chosen.alert, chosen.span, chosen.note, undo=chosen.undo, as_json=chosen.json)


def _test(chosen: argparse.Namespace) -> int:
    from appliance.ops import alert_test

    return alert_test.run(chosen.severity, as_json=chosen.json)
