"""Since when each secret is what it is: `secrets/seen.json`, `{"key", "seen": {name: {digest, since}}}`.

Of a value only a keyed hash is kept, by which it is known again. What we make ourselves counts from the last
change of its file; what comes from outside, from the moment that we saw it first.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hmac
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from appliance import disk, settings
from appliance.addresses import Paths
from appliance.clock import Clock, parse_rfc3339, rfc3339, utc_now
from appliance.settings import Settings

OLD: Final = dt.timedelta(days=90)
"""Secrets are to be replaced each quarter."""


def note(paths: Paths, outside: Mapping[str, str] | None = None, *, clock: Clock = utc_now) -> None:
    """Remember what is new: of our own files, and of `outside` where that is given, whose names are then all
    that there are. Raises OSError.
    """
    with disk.locked(paths.seen.with_suffix(".lock")):
        ledger = _read(paths.seen)
        seen = _now(ledger, _own(paths), {} if outside is None else outside, clock)
        if outside is None:
            known = {row.name for row in settings.rows().values()}
            seen |= {name: each for name, each in ledger["seen"].items() if name in known}
        if seen != ledger["seen"] or not paths.seen.exists():
            disk.write_durably(paths.seen, json.dumps({**ledger, "seen": seen}, indent=2))


def collect(chosen: Settings) -> dict[str, dt.datetime]:
    """By name: since when. Nothing is written."""
    paths = Paths(chosen.data)
    ledger, own = _read(paths.seen), _own(paths)
    if chosen.mongodb_uri is not None:
        own.pop("database", None)
    if chosen.redis_uri is not None:
        own.pop("redis", None)
    found = {name: each["since"] for name, each in ledger["seen"].items() if name.isupper()}
    found |= {name: each["since"] for name, each in _now(ledger, own, {}, utc_now).items()}
    return {name: parse_rfc3339(since) for name, since in sorted(found.items())}


def _now(
    ledger: dict[str, Any], own: dict[str, tuple[str, float]], outside: Mapping[str, str], clock: Clock
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values = {name: (value, dt.datetime.fromtimestamp(at, dt.UTC)) for name, (value, at) in own.items()}
    values |= {name: (value, clock()) for name, value in outside.items()}
    for name, (value, since) in values.items():
        digest = hmac.new(bytes.fromhex(ledger["key"]), f"{name}\0{value}".encode(), "sha256").hexdigest()
        known = ledger["seen"].get(name)
        is_same = known is not None and hmac.compare_digest(known["digest"], digest)
        found[name] = known if is_same else {"digest": digest, "since": rfc3339(since)}
    return found


def _own(paths: Paths) -> dict[str, tuple[str, float]]:
    """What is used now of each file of ours, and when that was written last."""
    files = {
        "jwt": (paths.jwt_keys, _active),
        "cursors": (paths.cursor_key, _last_line),
        "webhooks": (paths.webhook_key, _last_line),
        "backup": (paths.backup_key, _first_line),
        "database": (paths.mongo_password, _first_line),
        "redis": (paths.redis_password, _first_line),
        "admin": (paths.admin_password, _first_line),
    }
    found = {}
    for name, (path, used) in files.items():
        with contextlib.suppress(OSError, ValueError, LookupError, StopIteration):
            found[name] = (used(path.read_text()), path.stat().st_mtime)
    return found


def _active(text: str) -> str:
    return next(str(key["secret"]) for key in json.loads(text) if key["state"] == "active")


def _first_line(text: str) -> str:
    return next(line for line in text.splitlines() if line.strip() and not line.startswith("#"))


def _last_line(text: str) -> str:
    return text.split("\n")[-2 if text.endswith("\n") else -1].partition(" ")[0]


def _read(path: Path) -> dict[str, Any]:
    """One that cannot be read is begun anew: it is no reason to stop."""
    try:
        ledger = json.loads(path.read_text())
        bytes.fromhex(ledger["key"])
        for each in ledger["seen"].values():
            parse_rfc3339(each["since"])
            _ = each["digest"].lower()
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {"key": secrets.token_hex(32), "seen": {}}
    return dict(ledger)
