"""The Lua scripts, each with its invariant on top, and what they answer."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

_LUA = Path(__file__).parent / "lua"
_EVEN_WHEN_FULL = frozenset(
    {"beat", "blank", "cancel", "claim", "commit", "purge", "reap", "release", "settled", "turn"}
)
"""A Redis at its memory limit refuses new tasks; running ones must not lose their leases for it."""

NAMES = (
    "beat", "blank", "cancel", "claim", "commit", "enqueue", "hasten", "purge", "reap", "release",
    "report", "settled", "turn",
)  # fmt: skip
_PARTS = {"claim": ("claiming",), "commit": ("committing",), "turn": ("committing", "claiming")}
"""What several scripts have in common, besides `common`."""


@functools.cache
def text(name: str) -> str:
    """The whole script, as Redis gets it."""
    flags = "#!lua flags=allow-oom\n" if name in _EVEN_WHEN_FULL else "#!lua\n"
    parts = ("common", *_PARTS.get(name, ()), name)
    return flags + "".join((_LUA / f"{part}.lua").read_text() for part in parts)


def script(redis: Redis, name: str) -> AsyncScript:
    """For those who are no workers: call it with `args`, and await its answer."""
    return redis.register_script(text(name))


class Job(NamedTuple):
    """A task to run. Its id is that of the event that caused it; arguments are JSON, ids not documents."""

    id: str
    task: str
    arguments: dict[str, Any]
    due: float = 0
    """Unix seconds; 0 is now."""
    origin: str = ""
    """Where its event lies: a response's id, else the outbox. The engine only keeps it."""
    owner: str = ""
    """The user who started it, if somebody did."""
    replay: int = 0
    """How often it was begun anew after it had failed."""
    ahead: bool = False
    """Somebody waits for it: it goes ahead of those that nobody waits for. The outbox keeps no such."""


class Claim(NamedTuple):
    """A task that is ours to run, until its lease ends."""

    id: str
    queue: str
    fence: int
    """Names this attempt: a commit with an older one is refused."""
    task: str
    arguments: bytes
    """JSON, as it was stored: whoever runs the task judges it."""
    attempts: int
    retries: int
    max_retries: int
    soft: float
    """Seconds."""
    waited: float
    """Seconds since it could have begun."""
    origin: str


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
