"""`appliance config show|diff|check`: what is asked for, what holds, what waits, whether it can be used."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from appliance import settings
from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import CannotStart, SettingError, with_mend
from appliance.ops import instance, pending
from appliance.settings import Row, Settings


class Shown(NamedTuple):
    """One setting for people and programs; texts, since that is what is asked and what is shown."""

    name: str
    asked: str | None
    default: str | None
    effective: str | None
    source: str
    effect: str


def show(*, as_json: bool) -> int:
    """Print the table. Raises SettingError."""
    shown = describe(settings.resolve())
    if as_json:
        print(json.dumps([row._asdict() for row in shown], indent=2))
    else:
        _print(shown)
    return 0


def diff(*, as_json: bool) -> int:
    """What differs from the default, and what waits for a reload or restart: 1 then. Raises SettingError."""
    changed = [row for row in describe(settings.resolve()) if row.asked not in (None, row.default)]
    waiting = pending.find(Paths(settings.find_data()))
    if as_json:
        told = {
            "changed": [row._asdict() for row in changed],
            "pending": [each._asdict() for each in waiting],
        }
        print(json.dumps(told, indent=2))
    else:
        _print_changed(changed)
        print()
        print("\n".join(pending.lines(waiting)) or "nothing waits for a reload or a restart")
    return 1 if waiting else 0


def check(*, as_json: bool) -> int:
    """Whether a start or a reload would take them: 1 when not. Changes nothing that runs."""
    faults = list(_find_faults())
    if as_json:
        print(json.dumps({"well": not faults, "faults": faults}, indent=2))
    else:
        for fault in faults:
            print(fault)
        if not faults:
            print("every setting can be used, and nginx takes what is made of them")
    return 1 if faults else 0


def _find_faults() -> Iterator[str]:
    """As `up` and a reload judge them, but for what only a start looks at, such as the disk."""
    from appliance.runtime import preflight, reload
    from appliance.tls import sources

    try:
        paths = Paths(settings.find_data())
        running = instance.find_held(paths)
        chosen = settings.load(pending.environ_of_up(paths))
    except SettingError as fault:
        yield with_mend(fault)
        return
    if running is not None:
        yield from preflight.find_door_faults(chosen, running)
    yield from preflight.find_alert_faults(chosen)
    if not paths.tls.is_dir():
        return  # nginx is given a certificate at the first start
    try:
        reload.judge(chosen, sources.offer(chosen, utc_now()), draft="checked")
    except (CannotStart, OSError) as fault:
        yield str(fault)


def describe(resolved: dict[str, tuple[Any, str]]) -> list[Shown]:
    """Secrets are told by `(set)` only."""
    chosen = Settings(**{attribute: value for attribute, (value, _) in resolved.items()})
    return [
        _describe(
            row,
            _shown(attribute, resolved[attribute][0]),
            resolved[attribute][1],
            _derived(attribute, chosen),
        )
        for attribute, row in settings.rows().items()
    ]


def _describe(row: Row, value: Any, source: str, derived: str | None) -> Shown:
    text = None if value is None else "(set)" if row.secret else instance.text(value)
    asked = text if source != "default" else None
    return Shown(row.name, asked, row.default, text or derived, source, row.effect)


def _shown(attribute: str, value: Any) -> Any:
    return _size(value) if attribute == "memory" and value else value


def _derived(attribute: str, chosen: Settings) -> str | None:
    """What holds where nothing was asked and the default depends on the machine."""
    from appliance.runtime import allowance

    if attribute == "cpus":
        return str(allowance.find_budget(chosen).cpus)
    if attribute == "memory":
        return _size(allowance.find_budget(chosen).memory)
    return None


def _size(count: int) -> str:
    """As it may be given."""
    return f"{count // 2**20}M"


def _print(shown: list[Shown]) -> None:
    from appliance.ops.table import print_table

    print_table(
        ("SETTING", "VALUE", "ASKED FOR", "DEFAULT", "SOURCE", "TAKES EFFECT"),
        [
            (
                row.name,
                row.effective or "-",
                row.asked or "-",
                row.default or "-",
                row.source,
                f"on {row.effect}",
            )
            for row in shown
        ],
    )


def _print_changed(changed: list[Shown]) -> None:
    from appliance.ops.table import print_table

    if not changed:
        print("every setting has its default")
        return
    rows = [
        (row.name, row.asked or "-", row.default or "-", row.source, f"on {row.effect}") for row in changed
    ]
    print_table(("SETTING", "ASKED FOR", "DEFAULT", "SOURCE", "TAKES EFFECT"), rows)
