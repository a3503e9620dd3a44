"""Settings that were changed, and wait for a reload or a restart: what runs, beside what it would read now.

A process keeps the environment that it was started with: so that of `up` counts, and the files as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from appliance import settings
from appliance.addresses import Paths
from appliance.ops import instance, parent, service
from appliance.runtime import reload
from appliance.settings import Row

Effect = Literal["reload", "restart"]


def mend(effect: Effect) -> str:
    """The next command."""
    if effect == "reload":
        return "./scripts/appliance reload"
    return (
        f"systemctl restart {service.NAME}" if service.is_installed() else "stop ./scripts/up, start it again"
    )


class Pending(NamedTuple):
    """One setting; `runs` and `asked` are texts, of secrets `(set)` or nothing."""

    name: str
    runs: str | None
    asked: str | None
    source: str
    effect: Effect

    @property
    def told(self) -> str:
        """`RATE_LIMIT: on runs, off is asked for by .env; it waits for a reload`."""
        what = f"{self.runs or 'unset'} runs, {self.asked or 'unset'} is asked for by {self.source}"
        if self.runs == self.asked:  # both secret
            what = f"another value is asked for by {self.source}"
        return f"{self.name}: {what}; it waits for a {self.effect}"


def find(paths: Paths) -> list[Pending]:
    """Nothing where nothing runs. Raises SettingError when what is asked for now cannot be used."""
    running, environ = instance.find_held(paths), environ_of_up(paths)
    if running is None or environ is None:
        return []
    asked = settings.resolve(environ)
    found = []
    for attribute, row in settings.rows().items():
        runs, (value, source) = getattr(running, attribute), asked[attribute]
        if runs != value:
            effect = _effect(row, runs, value)
            found.append(Pending(row.name, _shown(row, runs), _shown(row, value), source, effect))
    return found


def lines(found: Sequence[Pending]) -> list[str]:
    """For people: each of them, and what takes them."""
    effects = dict.fromkeys(each.effect for each in found)
    return [*(each.told for each in found), *(f"next: {mend(effect)}" for effect in effects)]


def environ_of_up(paths: Paths) -> dict[str, str] | None:
    """None where nothing runs, or it is not ours to read."""
    pid = parent.find(paths)
    if not pid:
        return None
    try:
        block = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    return instance.parse_environ(block)


def _effect(row: Row, runs: Any, asked: Any) -> Effect:
    """Another password of the same server outside is taken by a reload."""
    if row.name in ("MONGODB_URI", "REDIS_URL") and runs and asked and reload.is_same_place(runs, asked):
        return "reload"
    return "reload" if row.effect == "reload" else "restart"


def _shown(row: Row, value: Any) -> str | None:
    if value is None:
        return None
    return "(set)" if row.secret else instance.text(value)
