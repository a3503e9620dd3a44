"""`appliance secrets list|rotate`: names, ages and states; never a value."""

from __future__ import annotations

import datetime as dt
import json
from typing import NamedTuple

from appliance import secret_ages
from appliance.addresses import Paths
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.ops import instance
from appliance.ops.table import duration, print_table
from appliance.secret_files import Pair
from appliance.security import key_files, keyring
from appliance.settings import Settings, find_texts


class Shown(NamedTuple):
    """One secret. `age` in seconds."""

    name: str
    source: str
    state: str
    since: str
    age: int


def show(*, as_json: bool) -> int:
    """Raises CannotStart."""
    rows = collect(instance.load())
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
        return 0
    print_table(
        ("SECRET", "FROM", "STATE", "SINCE", "AGE"),
        [(row.name, row.source, row.state, row.since, duration(row.age)) for row in rows],
    )
    return 0


def collect(chosen: Settings) -> list[Shown]:
    """Raises CannotStart before the first `appliance up`."""
    paths = Paths(chosen.data)
    if not paths.secrets.is_dir():
        raise CannotStart(f"{paths.secrets} is missing; run ./scripts/up, which creates it")
    sources = instance.find_texts(paths) or find_texts()
    return [
        _row(
            name,
            sources[name].source if name in sources else "here",
            "in use" if name in sources else _state(paths, name),
            since,
        )
        for name, since in secret_ages.collect(chosen).items()
    ]


def _state(paths: Paths, name: str) -> str:
    """Of those that are ours."""
    if name == "jwt":
        states = [key.state for key in keyring.read(paths.jwt_keys)]
        return f"in use, {states.count('retiring')} retiring"
    if name in ("webhooks", "cursors"):
        path = paths.webhook_key if name == "webhooks" else paths.cursor_key
        others = len(key_files.read(path)) - 1
        return f"in use, {others} retiring"
    passwords = {
        "database": (paths.mongo_password, paths.mongo_owner),
        "redis": (paths.redis_password,),
        "admin": (paths.admin_password,),
    }
    if any(Pair(path).is_changing for path in passwords.get(name, ())):
        return f"being replaced; next: ./scripts/appliance secrets rotate {name}"
    return "in use"


def _row(name: str, source: str, state: str, since: dt.datetime) -> Shown:
    return Shown(name, source, state, rfc3339(since), max(0, int((utc_now() - since).total_seconds())))
