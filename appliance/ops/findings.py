"""What a check is and what it finds. The checks lie in checks/, and docs/doctor.md explains each."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from appliance.addresses import Paths
from appliance.clock import Clock, utc_now
from appliance.ops import asking, front, supervisor
from appliance.ops.asking import Seen
from appliance.ops.front import Readiness
from appliance.ops.supervisor import NotRunning, Program
from appliance.settings import HOME, Settings, find_dotenv

Severity = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`meaning` says what is the case and what it leads to, `next` which command to run or what to change.

    `ok` is also what is so by somebody's choice: then `next`, if there is one, says how to have it better.
    """

    check: str
    severity: Severity
    meaning: str
    next: str = ""


@dataclass(frozen=True)
class Situation:
    """What the checks look at. What takes asking is asked once, when the first check wants it."""

    settings: Settings
    """As the running appliance has them."""
    here: Settings
    """As this command was given them."""
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    dotenv: Path = field(default_factory=lambda: find_dotenv(os.environ))
    now: Clock = utc_now
    home: Path = HOME
    """The checkout that it runs from."""

    @property
    def paths(self) -> Paths:
        return Paths(self.settings.data)

    @functools.cached_property
    def programs(self) -> list[Program] | None:
        """None when no supervisor answers."""
        try:
            return supervisor.ask(self.paths)
        except NotRunning:
            return None

    @functools.cached_property
    def seen(self) -> Seen:
        """What the servers say."""
        return asking.ask(self.settings)

    @functools.cached_property
    def readiness(self) -> Readiness:
        return front.ask(self.settings)


_HOW = "look at the disk; see: dmesg"

# What a check yields: severity, meaning, next. Nothing means that all is well.
Fault = tuple[Severity, str, str]
Look = Callable[[Situation], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Check:
    """`well` is what to say when nothing was found. Some can only look while the appliance runs."""

    name: str
    well: str
    look: Look
    needs_running: bool

    def run(self, situation: Situation) -> list[Finding]:
        if self.needs_running and situation.programs is None:
            return []
        found: list[Finding] = []
        try:
            for fault in self.look(situation):
                found.append(Finding(self.name, *fault))  # noqa: PERF401 - what was found before it failed stays
        except PermissionError as fault:
            found.append(Finding(self.name, "ok", f"not all of it may be looked at: {fault}"))
        except OSError as fault:
            found.append(Finding(self.name, "warning", f"not all of it can be looked at: {fault}", _HOW))
        except Exception as fault:  # one that fails must not hide what the others find
            found.append(Finding(self.name, "warning", f"this check failed: {fault!r}", "report this line"))
        return found or [Finding(self.name, "ok", self.well)]


CHECKS: list[Check] = []
"""Filled by the modules of checks/, in the order in which doctor shows them."""


def check(name: str, well: str, *, needs_running: bool = False) -> Callable[[Look], Look]:
    """Register a check."""

    def register(look: Look) -> Look:
        CHECKS.append(Check(name, well, look, needs_running))
        return look

    return register
