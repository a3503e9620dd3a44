"""Every secret value that can be found here, for `appliance support`: each of these is masked.

More than what a log hides (`known_secrets`): also those of settings that cannot be used, addresses that are
secrets themselves, and the keys of certificates.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from appliance import known_secrets, settings
from appliance.addresses import Paths
from appliance.errors import SettingError
from appliance.ops import instance, pending

SHORTEST: Final = 4
"""Characters. What is shorter is part of nearly every line."""
_PUBLIC_USERS: Final = {"appliance", "owner", "default", "admin", "root"}


def find(paths: Paths) -> frozenset[str]:
    """Whatever state the settings are in. Never raises for what cannot be read."""
    found = set(known_secrets.of_files(paths.secrets))
    found.update(_lines(paths.secrets.glob("*"), "") if paths.secrets.is_dir() else ())
    found.update(_lines(paths.tls.glob("*"), "PRIVATE KEY") if paths.tls.is_dir() else ())
    for value in _given(paths):
        found.update(_parts(value))
    return frozenset(value for value in found if len(value) >= SHORTEST)


def _given(paths: Paths) -> Iterator[str]:
    """As they were written, wherever settings come from."""
    secret = {row.name for row in settings.rows().values() if row.secret}
    environs = [dict(os.environ)]
    with contextlib.suppress(OSError):
        if (other := pending.environ_of_up(paths)) is not None:
            environs.append(other)
    for environ in environs:
        for name, value in environ.items():
            if name in secret or _is_told(name):
                yield value
            elif name.removesuffix("_FILE") in secret:
                yield from _texts([Path(value)])
        yield from _of_dotenv(settings.find_dotenv(environ), secret)
    yield from _of_dotenv(paths.dotenv, secret)
    yield from _texts(Path("/run/secrets") / name.lower() for name in secret)
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        held = json.loads(paths.held_secrets.read_text())
        yield from (text for text, _ in held.values() if text)
    with contextlib.suppress(SettingError):
        yield from (
            found.text for name, found in settings.find_texts().items() if name in secret and found.text
        )
    with contextlib.suppress(SettingError):
        held_now = instance.find_texts(paths) or {}
        yield from (found.text for name, found in held_now.items() if name in secret and found.text)


def _is_told(name: str) -> bool:
    """What is no setting of ours, but says of itself that it is secret."""
    return bool(re.search(r"(?i)password|passwd|secret|token|api_?key|credential", name)) and not re.search(
        r"_(FILE|NAMES|COMMAND|HOURS)$", name
    )


def _of_dotenv(path: Path, secret: set[str]) -> Iterator[str]:
    """By line, for what stands there cannot always be used."""
    for text in _texts([path]):
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and (name.strip() in secret or _is_told(name)):
                yield value.strip()
                yield value.strip().strip("'\"")
                if name.strip().endswith("_FILE"):
                    yield from _texts([Path(value.strip())])


def _texts(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            if path.is_file():
                yield path.read_text(errors="replace").strip()


def _lines(paths: Iterable[Path], sign: str) -> Iterator[str]:
    """Of files that have this in them."""
    for path in paths:
        if path.suffix == ".lock" or path.name == "seen.json":
            continue
        for text in _texts([path]):
            if sign in text and path.suffix != ".json":
                yield from (line for line in text.splitlines() if _is_secret(line))


def _is_secret(line: str) -> bool:
    return len(line) >= known_secrets.SHORTEST and not line.startswith(("#", "-----"))


def _parts(value: str) -> Iterator[str]:
    """An address is told by its password and its path too."""
    yield value
    yield from (line for line in value.splitlines() if len(line) >= known_secrets.SHORTEST)
    if "://" not in value:
        return
    yield from known_secrets.passwords(value)
    with contextlib.suppress(ValueError):
        parts = urlsplit(value)
        if parts.username and parts.username not in _PUBLIC_USERS:
            yield parts.username
            yield unquote(parts.username)
        if parts.scheme.startswith("http") and len(parts.path) > known_secrets.SHORTEST:
            yield parts.path
            yield from (word for word in parts.path.split("/") if len(word) >= known_secrets.SHORTEST)
            yield from (
                word for word in re.split(r"[&=]", parts.query) if len(word) >= known_secrets.SHORTEST
            )
