"""The alerts that the appliance raises itself, and tells Alertmanager of: those of Prometheus are in
`deploy/prometheus/appliance.rules.yml`, and docs/alerts.md explains all of them.

Contract: whoever knows the cause (the scheduler, the guardian) posts what is so, and again every `AGAIN`
seconds for as long as it is. What is not said again ends by itself after `HOLDS`: a teller that has died
leaves nothing behind, and one that is started anew needs to remember nothing.
"""

from __future__ import annotations

import datetime as dt
import re
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from appliance.clock import rfc3339

USER: Final = "appliance"
"""Whose password Alertmanager asks for."""
AGAIN: Final = 30.0
HOLDS: Final = dt.timedelta(minutes=3)


def host() -> str:
    """What this machine is called in messages: a name that no template reads as something else."""
    return re.sub(r"[^A-Za-z0-9.-]", "", socket.gethostname()) or "localhost"


class Kind(NamedTuple):
    """`summary` and `next` have places for what an alert is about."""

    severity: str
    summary: str
    next: str
    instead_of: tuple[str, ...] = ()
    """Rules of Prometheus that see the same from outside: they are not told beside it."""
    equal: tuple[str, ...] = ()
    """Labels in which both must agree."""


KINDS: Final[dict[str, Kind]] = {
    "DeadLetter": Kind(
        "warning",
        "The task {task} ({task_id}) failed for good, after all its tries",
        "./scripts/appliance queue list, then queue retry {task_id}",
        instead_of=("TasksFailed",),
        equal=("queue",),
    ),
    "ProgramGivenUp": Kind(
        "critical",
        "{name} stays down after {attempts} attempts: {error}",
        "./scripts/appliance logs {name}, then ./scripts/supervisorctl start {name}",
        instead_of=("ProgramFailed", "ProgramRestarts"),
        equal=("name",),
    ),
    "BackupUnmade": Kind(
        "warning",
        "The last backup failed: {error}",
        "./scripts/appliance doctor",
        instead_of=("BackupFailed",),
    ),
    "DrillUnproven": Kind(
        "warning",
        "The newest backup could not be restored aside: {error}",
        "./scripts/appliance backup drill",
        instead_of=("DrillFailed",),
    ),
    "Test": Kind("info", "A test, sent by an operator: nothing is wrong", "nothing; see docs/alerts.md#test"),
}
"""By name."""
LABELS: Final[tuple[str, ...]] = ("task", "task_id", "queue", "name", "test_id")
"""What of an alert's subject tells it from others of its name; the rest is only said."""


class Raised(NamedTuple):
    """One that is so. `about` fills the places of its summary, and names it by its labels."""

    name: str
    since: dt.datetime
    about: Mapping[str, str] = MappingProxyType({})
    severity: str | None = None
    """Another one than that of its kind: for tests."""

    @property
    def labels(self) -> dict[str, str]:
        own = {key: self.about[key] for key in LABELS if key in self.about}
        severity = self.severity or KINDS[self.name].severity
        return {"alertname": self.name, "severity": severity, "host": host(), **own}

    def told(self, ends: dt.datetime) -> dict[str, Any]:
        """As Alertmanager takes it."""
        kind = KINDS[self.name]
        return {
            "labels": self.labels,
            "annotations": {
                "summary": kind.summary.format_map(self.about),
                "next": kind.next.format_map(self.about),
            },
            "startsAt": rfc3339(min(self.since, ends - dt.timedelta(seconds=1))),
            "endsAt": rfc3339(ends),
        }


def runbook(name: str) -> str:
    """Where an alert is explained."""
    return f"docs/alerts.md#{name.lower()}"
