"""`python -m appliance.ops.asked PARENT QUESTION`: what an admin asks of the operator's side by the API.

It sees what the operator's terminal would see: the settings that the appliance was started with, not those
few that the API is given. A question is `{"kind": …}` with what it needs, and no secret; the answer on stdout
is `{"answer": …}`, or `{"refused": why}` where the command would have refused. It ends with its PARENT,
unless that is 0.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from appliance import known_secrets, logs, processes, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, SettingError
from appliance.ops import doctor, instance, outside_secrets, rotation, secrets
from appliance.ops import logs as log_files
from appliance.ops.log_lines import Line, Wanted, as_json_line
from appliance.ops.outside_secrets import ROTATED_AS
from appliance.ops.restarting import restart
from appliance.settings import Settings

OURS: Final = ("jwt", "cursors", "webhooks", "backup", "admin")
"""Secrets that are replaced without a reload, which would end who waits for the answer."""
LONGEST: Final = 8000
"""Characters of a message, and of a line's other fields together."""


def main(parent: int, question: str) -> None:
    if parent:
        processes.die_with_parent(signal.SIGKILL, parent)
        os.nice(10)
        processes.raise_oom_score(1000)
    asked = json.loads(question)
    work: Callable[..., Any] = _WORK[asked.pop("kind")]
    told: dict[str, Any]
    try:
        told = {"answer": work(**asked)}
    except (CannotStart, SettingError) as fault:
        told = {"refused": str(fault)}
    sys.stdout.write(json.dumps(told))


def _load() -> Settings:
    """As the appliance was started; as far as this program knows, where that cannot be read."""
    environ = instance.find_environ(Paths(settings.find_data()))
    if environ is not None:
        os.environ.clear()
        os.environ.update(environ)
    return settings.load()


def _doctor() -> list[dict[str, str]]:
    return [asdict(finding) for finding in doctor.examine()]


def _logs(
    program: str | None, level: str | None, since: str, request_id: str | None, limit: int
) -> list[dict[str, Any]]:
    chosen = _load()
    logs.hide(known_secrets.finder(chosen))
    begin = log_files.parse_since(since)
    wanted = Wanted((program,) if program else (), begin, request_id, level)
    folder = Paths(chosen.data).logs
    log_files.check_programs(folder, wanted)
    return [_shape(line) for line in log_files.newest(folder, wanted, limit)]


def _shape(line: Line) -> dict[str, Any]:
    """What is hidden in our own lines is hidden in those of others too."""
    fields = json.loads(logs.redacted(as_json_line(line)))
    message = str(fields.pop("message", fields.pop("msg", "")))
    told = {
        "time": fields.pop("time"),
        "program": str(fields.pop("program")),
        "level": line.level if isinstance(line.level, str) else None,
        "message": message[:LONGEST],
        "request_id": line.request_id if isinstance(line.request_id, str) else None,
    }
    rest = {name: value for name, value in fields.items() if name not in ("level", "request_id")}
    return told | {"fields": rest if len(json.dumps(rest)) <= LONGEST else {"cut": True}}


def _secrets() -> list[dict[str, Any]]:
    return [row._asdict() for row in secrets.collect(_load())]


def _rotate(name: str) -> list[str]:
    """Raises CannotStart with the command where that takes more than the API can do."""
    chosen = _load()
    setting = next((each for each, rotated in ROTATED_AS.items() if rotated == name), None)
    given = outside_secrets.find(Paths(chosen.data), setting) if setting else None
    if given is not None and not given.is_new:
        raise CannotStart(outside_secrets.advice(given))
    if given is not None or name not in OURS:
        why = "it takes a reload, which ends who would answer you"
        raise CannotStart(f"{why}; next, on the machine: ./scripts/appliance secrets rotate {name}")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        rotation.run(name)
    return said.getvalue().splitlines()


def _restart(name: str) -> dict[str, Any]:
    return restart(_load(), name)


_WORK: Final[dict[str, Callable[..., Any]]] = {
    "doctor": _doctor,
    "logs": _logs,
    "secrets": _secrets,
    "rotate": _rotate,
    "restart": _restart,
}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
