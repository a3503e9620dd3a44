"""`appliance secrets list|rotate`: names, ages and states; never a value."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import NamedTuple

from appliance import settings
from appliance.addresses import Paths
from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.ops.table import duration, print_table
from appliance.security import keyring


class Shown(NamedTuple):
    """One secret. `age` in seconds."""

    name: str
    state: str
    created_at: str
    age: int


def show(*, as_json: bool) -> int:
    """Raises CannotStart."""
    rows = collect(Paths(settings.find_data()))
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return 0
    print_table(
        ("SECRET", "STATE", "CREATED", "AGE"),
        [(row.name, row.state, row.created_at, duration(row.age)) for row in rows],
    )
    return 0


def rotate(name: str) -> int:
    """Raises CannotStart for a secret that is not rotated here."""
    if name != "jwt":
        raise CannotStart(f"there is no secret {name!r} to rotate; there is jwt")
    chosen = settings.load()
    lifetime = dt.timedelta(hours=chosen.token_hours)
    keys = keyring.rotate(Paths(chosen.data).jwt_keys, lifetime)
    active = next(key.kid for key in keys if key.state == "active")
    print(
        f"jwt: {active} signs from now on; sessions go on, and the key before is dropped when they are over"
    )
    return 0


def collect(paths: Paths) -> list[Shown]:
    """Raises CannotStart before the first `appliance up`."""
    if not paths.secrets.is_dir():
        raise CannotStart(f"{paths.secrets} is missing; run ./scripts/up, which creates it")
    names = [path for path in sorted(paths.secrets.iterdir()) if _is_secret(path)]
    return [row for path in names for row in (_ring(path) if path == paths.jwt_keys else [_file(path)])]


def _is_secret(path: Path) -> bool:
    return path.is_file() and path.suffix != ".lock" and not path.name.startswith(".")


def _ring(path: Path) -> list[Shown]:
    keys = [key for key in keyring.read(path) if key.state != "spent"]
    return [_row(f"jwt {key.kid}", key.state, parse_rfc3339(key.created_at)) for key in keys]


def _file(path: Path) -> Shown:
    return _row(path.name, "in use", dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))


def _row(name: str, state: str, created: dt.datetime) -> Shown:
    return Shown(name, state, rfc3339(created), max(0, int((utc_now() - created).total_seconds())))
