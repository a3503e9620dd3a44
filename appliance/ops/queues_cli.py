"""`appliance queue …`: background tasks."""

from __future__ import annotations

import argparse

from appliance.ops import completers
from appliance.ops.command_line import Commands, add_command, add_group, add_json
from appliance.ops.completers import complete_by


def add(commands: Commands) -> None:
    queues = add_group(commands, "queue", "background tasks: what waits, runs and failed")
    add_json(add_command(queues, "list", _list, "the queues, and the tasks that failed for good"))
    for name, what in (
        ("pause", "begin nothing more of this queue; what runs goes on"),
        ("resume", "begin its tasks again"),
    ):
        one = add_command(queues, name, _pause, what)
        complete_by(
            one.add_argument("queue", metavar="QUEUE", help="high, default or batched"), completers.queues
        )
        one.set_defaults(paused=name == "pause")
        add_json(one)
    retry = add_command(queues, "retry", _retry, "do failed tasks anew, with all their tries before them")
    retry.add_argument("ids", nargs="*", metavar="ID", help="of a dead letter")
    retry.add_argument("--all", action="store_true", help="all dead letters")
    purge = add_command(queues, "purge", _purge, "cancel what waits on a queue, for good")
    complete_by(
        purge.add_argument("queue", metavar="QUEUE", help="high, default or batched"), completers.queues
    )
    purge.add_argument("--yes", action="store_true", help="without being asked")
    for one in (retry, purge):
        add_json(one)


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.show(as_json=chosen.json)


def _pause(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.set_paused(chosen.queue, paused=chosen.paused, as_json=chosen.json)


def _retry(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.retry(chosen.ids, every=chosen.all, as_json=chosen.json)


def _purge(chosen: argparse.Namespace) -> int:
    from appliance.ops import queues

    return queues.purge(chosen.queue, sure=chosen.yes, as_json=chosen.json)
