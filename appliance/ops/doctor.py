"""`appliance doctor`: run every check and tell what was found. It changes nothing."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, SettingError, with_mend
from appliance.ops import checks, instance
from appliance.ops.findings import Finding, Situation
from appliance.ops.table import shown
from appliance.runtime import place
from appliance.settings import HELD, HELD_SECRETS

UNREADABLE = "settings"
"""The check that comes before all others: without settings there is nothing to look at."""

_EXITS = {"ok": 0, "warning": 1, "error": 2}


def run(*, as_json: bool) -> int:
    """0 all well, 1 warnings, 2 errors."""
    found = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        _print(found)
    return status(found)


def status(found: list[Finding]) -> int:
    """0 all well, 1 warnings, 2 errors."""
    return max(_EXITS[finding.severity] for finding in found)


def examine(situation: Situation | None = None) -> list[Finding]:
    """Every check's findings, in the order of the table."""
    parsed = Finding(UNREADABLE, "ok", "every setting can be used")
    try:
        situation = situation or _look()
    except CannotStart as fault:
        return [Finding("data-folder", "error", *_parts(str(fault)))]
    except SettingError as fault:
        parsed = Finding(UNREADABLE, "error", *_parts(with_mend(fault)))
        situation = _look_at_running()
        if situation is None:
            return [parsed]
    return [parsed, *(finding for check in checks.CHECKS for finding in check.run(situation))]


def _look() -> Situation:
    if "APPLIANCE_PROGRAM" in os.environ and (inside := _look_from_inside()) is not None:
        return inside
    chosen = settings.load()
    place.check_readable(chosen.data)
    return Situation(instance.find_settings(chosen), chosen)


def _look_from_inside() -> Situation | None:
    """A program of the appliance was given fewer secrets than the operator has settings: what the supervisor
    was started with is what they are. None when we may not read that."""
    environ = instance.find_environ(Paths(settings.find_data()))
    if environ is None:
        return None
    running = instance.find_settings(settings.load(environ))
    outside = {name: value for name, value in environ.items() if name not in (HELD, HELD_SECRETS)}
    return Situation(running, running, outside, settings.find_dotenv(outside))


def _look_at_running() -> Situation | None:
    try:
        running = instance.find_running()
    except SettingError:  # the same one, which is told already
        return None
    return Situation(running, running) if running else None


def _parts(fault: str) -> tuple[str, str]:
    """A fault's text and the next command in it."""
    meaning, _, after = fault.partition("; next: ")
    return meaning, after


def _print(found: list[Finding]) -> None:
    for finding in found:
        print(f"{finding.severity:<8} {finding.check:<15} {shown(finding.meaning)}")
        if finding.next:
            print(f"{'':<24} {'hint' if finding.severity == 'ok' else 'next'}: {finding.next}")
    worst = ", ".join(_count(severity, found) for severity in ("error", "warning"))
    print(f"\n{worst}; docs/doctor.md explains each check")


def _count(severity: str, found: list[Finding]) -> str:
    count = sum(each.severity == severity for each in found)
    return f"{count} {severity}" + ("" if count == 1 else "s")
