"""`appliance alerts …`: what is wrong, who knows of it, and whether anybody is told."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from appliance.errors import CannotStart
from appliance.ops import firing, inside
from appliance.ops.table import print_table, shown
from appliance.services import inbox
from appliance.services import inbox_shapes as shapes
from appliance.services.context import Context

_PAGE = 200
_SPANS = {"m": 60, "h": 3600, "d": 86400}
_OPEN: tuple[shapes.State, ...] = ("firing", "acknowledged", "silenced")


def show_all(*, with_over: bool, as_json: bool) -> int:
    """Raises CannotStart."""
    try:
        found = inside.run(lambda context: _read(context, with_over=with_over))
    except CannotStart as fault:
        return _show_without_database(fault, as_json=as_json)
    if as_json:
        print(json.dumps({"alerts": msgspec.to_builtins(found)}, indent=2))
        return 0
    if not found:
        print("no alert; those that are over: ./scripts/appliance alerts list --all")
        return 0
    print_table(("ALERT", "SEVERITY", "STATE", "SINCE", "WHAT", "ID"), [_row(each) for each in found])
    print("\nappliance alerts show ID tells what to do; ack ID tells others that you do it")
    return 0


def show(named: str, *, as_json: bool) -> int:
    """Raises CannotStart."""
    return _print(inside.run(lambda context: _find(context, named)), as_json=as_json)


def acknowledge(named: str, note: str | None, *, undo: bool, as_json: bool) -> int:
    """Raises CannotStart."""

    async def work(context: Context) -> shapes.Alert:
        alert_id = (await _find(context, named)).alert_id
        if undo:
            return await inbox.unacknowledge(context, None, alert_id)
        return await inbox.acknowledge(context, None, alert_id, note)

    return _print(inside.run(work), as_json=as_json)


def silence(named: str, span: str, note: str | None, *, undo: bool, as_json: bool) -> int:
    """Raises CannotStart."""
    wanted = shapes.Silence(seconds=_seconds(span), note=note)

    async def work(context: Context) -> shapes.Alert:
        alert_id = (await _find(context, named)).alert_id
        if undo:
            return await inbox.unsilence(context, None, alert_id)
        return await inbox.silence(context, None, alert_id, wanted)

    return _print(inside.run(work), as_json=as_json)


async def _read(context: Context, *, with_over: bool) -> list[shapes.Alert]:
    found: list[shapes.Alert] = []
    for state in (None,) if with_over else _OPEN:
        cursor = None
        while True:
            page = await inbox.newest(context, state, cursor, _PAGE)
            found += page.alerts
            cursor = page.next_cursor
            if cursor is None or len(found) >= _PAGE:
                break
    return sorted(found, key=lambda each: each.started_at, reverse=True)[:_PAGE]


async def _find(context: Context, named: str) -> shapes.Alert:
    """By its id, or by its name among those that are not over. Raises NotFound, CannotStart."""
    if re.fullmatch(r"[0-9a-f]+-\d+", named):
        return await inbox.get(context, named)
    found = [each for each in await _read(context, with_over=False) if each.name == named]
    if len(found) == 1:
        return found[0]
    which = f"{len(found)} alerts are called {named}" if found else f"no alert is called {named} now"
    raise CannotStart(f"{which}; next: ./scripts/appliance alerts list, which shows their ids")


def _show_without_database(fault: CannotStart, *, as_json: bool) -> int:
    """When the database is what is wrong, Alertmanager still knows what fires. Raises CannotStart."""
    found = firing.now(inside.load_started())
    if found is None:
        raise fault
    if as_json:
        print(json.dumps({"alerts": found, "problem": str(fault)}, indent=2))
        return 0
    rows = [
        (row["name"], row["severity"], "quiet" if row["quiet"] == "yes" else "firing", row["summary"])
        for row in found
    ]
    print(f"{fault}\nAlertmanager knows of:\n")
    print_table(("ALERT", "SEVERITY", "STATE", "WHAT"), rows)
    return 0


def _seconds(span: str) -> int:
    """Raises CannotStart."""
    found = re.fullmatch(r"(\d{1,5})([mhd])", span)
    seconds = int(found[1]) * _SPANS[found[2]] if found else 0
    if not 60 <= seconds <= inbox.LONGEST.total_seconds():
        raise CannotStart(f"--for {span}: give 30m, 2h or 3d, 30 days at most")
    return seconds


def _row(alert: shapes.Alert) -> tuple[str, ...]:
    what = alert.summary if len(alert.summary) <= 60 else f"{alert.summary[:59]}…"
    return alert.name, alert.severity, _state(alert), alert.started_at, what, alert.alert_id


def _state(alert: shapes.Alert) -> str:
    if alert.state == "acknowledged" and alert.acknowledged:
        return f"acknowledged by {alert.acknowledged.by}"
    if alert.state == "silenced" and alert.silenced:
        return f"silenced until {alert.silenced.until[:16]}Z"
    return alert.state


def _print(alert: shapes.Alert, *, as_json: bool) -> int:
    told: dict[str, Any] = msgspec.to_builtins(alert)
    if as_json:
        print(json.dumps(told, indent=2))
        return 0
    lines = [
        f"{alert.name} ({alert.severity}): {_state(alert)}",
        *alert.summary.splitlines(),
        "",
        f"next      {alert.next}",
        f"runbook   {alert.runbook}",
        "labels    " + ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items())),
        f"id        {alert.alert_id}",
        "",
    ]
    for step in alert.history:
        by = f" by {step.by}" if step.by else ""
        lines.append(f"{step.at}  {step.what}{by}" + (f": {step.note}" if step.note else ""))
    print("\n".join(map(shown, lines)))
    return 0
