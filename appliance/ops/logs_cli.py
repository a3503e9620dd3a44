"""`appliance logs`: the programs' logs."""

from __future__ import annotations

import argparse

from appliance.ops import completers
from appliance.ops.command_line import Commands, add_command, add_json
from appliance.ops.completers import complete_by


def add(commands: Commands) -> None:
    logs = add_command(commands, "logs", _logs, "the programs' logs, merged by time")
    programs = logs.add_argument(
        "programs", nargs="*", metavar="NAME", help="only these programs; `api` means every api-N"
    )
    complete_by(programs, completers.programs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on with what is written from now on")
    logs.add_argument("-n", "--lines", type=int, default=100, help="the last N lines (default 100; 0: all)")
    logs.add_argument(
        "--since", metavar="WHEN", help="15m, 2h, 3d or an RFC 3339 time; then all lines are shown"
    )
    logs.add_argument("--request-id", metavar="ID", help="only lines of one request")
    logs.add_argument("--level", choices=["debug", "info", "warning", "error"], help="this level and above")
    add_json(logs)


def _logs(chosen: argparse.Namespace) -> int:
    from appliance.ops import logs
    from appliance.ops.log_lines import Wanted

    wanted = Wanted(
        programs=tuple(chosen.programs),
        since=logs.parse_since(chosen.since) if chosen.since else None,
        request_id=chosen.request_id,
        level=chosen.level,
    )
    return logs.run(wanted, lines=chosen.lines, follow=chosen.follow, as_json=chosen.json)
