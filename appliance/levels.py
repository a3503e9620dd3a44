"""The level of the data: how many migrations it has been through. The code's is the number of its last one.

A migration is a module of `stores/migrations`, and its file's name is all that has to be read to know of it:
so the newer code can be asked before any of it runs. The database holds the level; a file beside the
database's own says what it was when it was stopped, so that an ordinary start need not ask.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from appliance import disk
from appliance.addresses import Paths
from appliance.settings import HOME, Settings

BASELINE: Final = 1
"""Of all data that was written before there were levels."""
_FOLDER: Final = Path("appliance", "stores", "migrations")
_MODULE: Final = re.compile(r"m(\d{4})_([a-z0-9_]+)\.py")
_EMBEDDED: Final = "embedded"


class Step(NamedTuple):
    """A migration, by its file's name."""

    number: int
    """The level that it leads to."""
    name: str

    @property
    def module(self) -> str:
        return f"m{self.number:04d}_{self.name}"


def steps(home: Path = HOME) -> list[Step]:
    """The migrations of the code that lies there, in their order."""
    folder = home / _FOLDER
    if not folder.is_dir():
        return []
    found = (_MODULE.fullmatch(path.name) for path in folder.iterdir())
    return sorted(Step(int(match[1]), match[2]) for match in found if match)


def of_code(home: Path = HOME) -> int:
    return max((step.number for step in steps(home)), default=BASELINE)


def pending(level: int, home: Path = HOME) -> list[Step]:
    """What data of this level has yet to go through."""
    return [step for step in steps(home) if step.number > level]


def noted(settings: Settings) -> int | None:
    """What the file says of the database that the settings name; None when it says nothing of that one."""
    try:
        # Root reads it too, in a folder that is not his: no link, nothing that waits for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(Paths(settings.data).level, flags)) as file:
            level, of = file.read(1000).split()
    except (OSError, ValueError):
        return None
    return int(level) if level.isdigit() and of == _place(settings) else None


def note(settings: Settings, level: int) -> None:
    """Call when the database has this level, durably. Raises OSError."""
    disk.write_durably(Paths(settings.data).level, f"{level} {_place(settings)}\n")


def forget(settings: Settings) -> None:
    """Call before the database gets another one. Raises OSError."""
    Paths(settings.data).level.unlink(missing_ok=True)


def _place(settings: Settings) -> str:
    """Which database it is, without its password."""
    if settings.mongodb_uri is None:
        return _EMBEDDED
    parts = urlsplit(settings.mongodb_uri)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}".replace(" ", "") or "outside"
