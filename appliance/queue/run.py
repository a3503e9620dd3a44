"""One attempt at a task, as its function sees it."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from appliance.queue.scripts import Claim, Job

_OFTEN = 0.25
"""Seconds between two reports; those in between are dropped."""


class Progress(NamedTuple):
    """How far a task is: `done` of `total` (None: nobody knows) `unit`s, such as lines."""

    done: int
    total: int | None
    unit: str


class Run:
    """Its first argument; the others are the task's own, by name."""

    def __init__(self, claim: Claim, report: Callable[[Claim, Progress], None]) -> None:
        self.claim = claim
        self.follows: list[Job] = []
        """What begins when this one is done."""
        self._report = report
        self._next_report = 0.0

    @property
    def id(self) -> str:
        """Of the task and the event that caused it: effects are marked by it, so that each happens once."""
        return self.claim.id

    def progress(self, done: int, total: int | None = None, unit: str = "") -> None:
        """Tell how far it is. Costs nothing when called often; Redis being away is no matter."""
        now = time.monotonic()
        if now >= self._next_report or done == total:
            self._next_report = now + _OFTEN
            with contextlib.suppress(RedisError, OSError):
                self._report(self.claim, Progress(done, total, unit))

    def follow(self, task: str, **arguments: Any) -> str:
        """The next task of the chain: it begins once, when this one is done. Its id."""
        task_id = str(uuid.uuid5(_CHAINS, f"{self.id}/{len(self.follows)}"))
        self.follows.append(Job(task_id, task, arguments))
        return task_id


_CHAINS = uuid.UUID("4f0c2a52-7b1a-4f7e-9a4c-1f2c5b0d9e11")
