"""How a child shows its parent that it is not stuck: a moment in memory that both of them see.

Up to that moment its silence is fine. No file and no socket is needed, so neither a full disk nor a parent
that waits for an answer can make a child seem dead, or the parent.
"""

from __future__ import annotations

import time
from multiprocessing.sharedctypes import RawValue

SILENCE = 10.0
"""Seconds after a beat within which another one has to come."""
STARTING = 60.0
"""Seconds that a child has until its first."""


class Pulse:
    """Make it before the child is forked. Its clock is CLOCK_MONOTONIC, which all processes share."""

    def __init__(self) -> None:
        self._until = RawValue("d", 0.0)

    def beat(self) -> None:
        self.promise(SILENCE)

    def promise(self, seconds: float) -> None:
        """Something long begins, which takes no longer than that; the next `beat` ends the promise."""
        self._until.value = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Nothing came in time."""
        return bool(time.monotonic() > self._until.value)
