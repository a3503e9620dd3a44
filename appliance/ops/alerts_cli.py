"""`appliance alerts …`: the parser of its commands."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    alerts = add_group(commands, "alerts", "what is wrong, who knows of it, and whether anybody is told")

    shown = add_command(alerts, "list", _list, "what fires, is acknowledged or silenced")
    shown.add_argument("--all", action="store_true", help="what is over too, the newest 200")
    one = add_command(alerts, "show", _show, "one of them, with what became of it")
    acknowledged = add_command(alerts, "ack", _ack, "you care for it: nobody is told again until it is over")
    acknowledged.add_argument("--undo", action="store_true", help="it is told again")
    silenced = add_command(
        alerts, "silence", _silence, "nobody is told of it for so long, whether it ends or not"
    )
    silenced.add_argument("--for", dest="span", metavar="SPAN", default="2h", help="30m, 2h, 3d (default 2h)")
    silenced.add_argument("--undo", action="store_true", help="it is told again")
    for each in (shown, one, acknowledged, silenced):
        add_json(each)
    for each in (one, acknowledged, silenced):
        each.add_argument("alert", metavar="ALERT", help="its id, or its name where only one has it")
    for each in (acknowledged, silenced):
        each.add_argument("--note", metavar="TEXT", help="for those who look into the list")
    tested = add_command(alerts, "test", _test, "send one through the whole way, and say what came of it")
    add_json(tested)
    tested.add_argument(
        "--severity", choices=["info", "warning", "critical"], default="critical", help="(default critical)"
    )


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
