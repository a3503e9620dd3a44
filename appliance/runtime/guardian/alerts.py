"""Alerts on their way into the database.

Each is a file until it is there, since what is down may be the database. A child writes them
(`appliance.tasks.alerts`): it knows how events are kept and who hears of them, the guardian need not. It may
die anywhere, as we may: an alert's id is that of what it tells, and it is written once.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import msgspec

from appliance import logs
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.disk import write_durably

AGAIN_SECONDS = 30.0
PATIENCE = 60.0

log = logs.get(__name__)


def keep(paths: Paths, alert_id: str, data: Mapping[str, object]) -> None:
    """Durably; the same one twice is one. Raises OSError."""
    alert = {"id": alert_id, "at": rfc3339(utc_now()), "data": data}
    write_durably(paths.alerts / f"{alert_id}.json", msgspec.json.encode(alert))


class Teller:
    """Runs the child when there is something to tell and somewhere to tell it."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._child: subprocess.Popen[bytes] | None = None
        self._began = self._next = 0.0

    def turn(self, now: float) -> None:
        if self._child is not None:
            self._tend(self._child, now)
        elif now >= self._next and any(self._paths.alerts.glob("*.json")):
            self._began, self._next = now, now + AGAIN_SECONDS
            command = [sys.executable, "-P", "-m", "appliance.tasks", "alerts"]
            # Not on our stdout, which belongs to supervisord.
            self._child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2)

    def _tend(self, child: subprocess.Popen[bytes], now: float) -> None:
        if child.poll() is not None:
            self._child = None
        elif now - self._began > PATIENCE:
            log.warning("telling takes too long", extra={"pid": child.pid})
            child.kill()
