"""The Lua scripts, each with its invariant on top, and what they answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

_LUA = Path(__file__).parent / "lua"
_EVEN_WHEN_FULL = frozenset({"beat", "claim", "commit", "reap", "release"})
"""A Redis at its memory limit refuses new tasks; running ones must not lose their leases for it."""

NAMES = ("beat", "cancel", "claim", "commit", "enqueue", "reap", "release")


def text(name: str) -> str:
    """The whole script, as Redis gets it."""
    flags = "#!lua flags=allow-oom\n" if name in _EVEN_WHEN_FULL else "#!lua\n"
    return flags + (_LUA / "common.lua").read_text() + (_LUA / f"{name}.lua").read_text()


def registered(redis: Any) -> dict[str, Any]:
    """Every script, for a client of either kind: calling one gives its answer, or an awaitable of it."""
    return {name: redis.register_script(text(name)) for name in NAMES}


class Job(NamedTuple):
    """A task to run. Its id is that of the event that caused it; arguments are JSON, ids not documents."""

    id: str
    task: str
    arguments: dict[str, Any]
    due: float = 0
    """Unix seconds; 0 is now."""


class Claim(NamedTuple):
    """A task that is ours to run, until its lease ends."""

    id: str
    queue: str
    fence: int
    """Names this attempt: a commit with an older one is refused."""
    task: str
    arguments: dict[str, Any]
    attempts: int
    retries: int
    max_retries: int
    soft: float
    """Seconds."""
    waited: float
    """Seconds since it was made."""


class Held(NamedTuple):
    """A lease as its beat saw it."""

    id: str
    queue: str
    worker: str
    seconds: float
    """That it has been running."""
    hard: float
    """Seconds that it may."""
    is_cancelled: bool
