"""Every secret value that this process could know: so that a log can leave them out."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from appliance import settings
from appliance.addresses import Paths
from appliance.settings import Settings

NAMES = ("jwt", "cursors", "webhooks", "backup", "admin", "smtp", "database", "redis")
"""Those that `appliance secrets rotate` replaces, in the order of `all`."""
SHORTEST = 8
"""Characters. What is shorter is part of too much that is no secret."""
_LOOK = 1.0
"""Seconds between two looks whether a file has come or changed."""


def finder(chosen: Settings, *, now: Callable[[], float] = time.monotonic) -> Callable[[], frozenset[str]]:
    """Gives them at any time, those of files too that were replaced meanwhile."""
    folder = Paths(chosen.data).secrets
    given = frozenset(of_settings(chosen))
    state: dict[str, Any] = {"stamp": None, "at": 0.0, "values": given}

    def find() -> frozenset[str]:
        if state["stamp"] is None or now() - state["at"] >= _LOOK:
            state["at"] = now()
            stamp = _stamp(folder)
            if stamp != state["stamp"]:
                state["stamp"], state["values"] = stamp, given | frozenset(of_files(folder))
        values: frozenset[str] = state["values"]
        return values

    return find


def of_settings(chosen: Settings) -> Iterator[str]:
    """As they stand there, and the passwords in addresses."""
    for attribute, row in settings.rows().items():
        value = getattr(chosen, attribute)
        if row.secret and isinstance(value, str):
            found = list(passwords(value))
            if found or "://" not in value:
                yield from _long([value, *found])


def passwords(url: str) -> Iterator[str]:
    """Of an address, as it stands there and as it is meant."""
    with contextlib.suppress(ValueError):
        if password := urlsplit(url).password:
            yield password
            yield unquote(password)


def of_files(folder: Path) -> Iterator[str]:
    """Of `secrets/`, those that are being replaced too."""
    try:
        files = list(folder.iterdir())
    except OSError:
        return
    for path in files:
        if path.suffix == ".lock" or path.name == "seen.json":
            continue
        with contextlib.suppress(OSError, ValueError):
            text = path.read_text()
            if path.suffix == ".json":
                yield from _long(key.get("secret", "") for key in json.loads(text))
            else:
                words = (line.partition(" ")[0] for line in text.splitlines() if not line.startswith("#"))
                yield from _long(words if _is_keys(text) else text.splitlines())


def _is_keys(text: str) -> bool:
    """Lines of keys with their moments, rather than a password, which may hold a space."""
    return bool(re.match(r"[0-9a-f]{64}\b", text))


def _long(values: Any) -> Iterator[str]:
    return (value for value in values if len(value) >= SHORTEST and not value.startswith("#"))


def _stamp(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
