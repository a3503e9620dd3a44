"""`appliance config show`: each setting, what was asked, what holds and where that comes from."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from appliance import settings
from appliance.settings import Row, Settings


class Shown(NamedTuple):
    """One setting for people and programs; texts, since that is what is asked and what is shown."""

    name: str
    asked: str | None
    default: str | None
    effective: str | None
    source: str
    effect: str


def run(*, as_json: bool) -> int:
    """Print the table. Raises SettingError."""
    shown = describe(settings.resolve())
    if as_json:
        print(json.dumps([row._asdict() for row in shown], indent=2))
    else:
        _print(shown)
    return 0


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
    text = None if value is None else "(set)" if row.secret else _text(value)
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


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(value)
    return str(value)


def _print(shown: list[Shown]) -> None:
    from appliance.ops.table import print_table

    print_table(
        ("SETTING", "VALUE", "SOURCE", "DEFAULT", "TAKES EFFECT"),
        [
            (row.name, row.effective or "-", row.source, row.default or "-", f"on {row.effect}")
            for row in shown
        ],
    )
