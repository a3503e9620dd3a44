"""How a child shows its parent that it is not stuck: a moment in memory that both of them see.

Up to that moment its silence is fine. No file and no socket is needed, so neither a full disk nor a parent
that waits for an answer can make a child seem dead, or the parent. Nor a /dev/shm that nobody may write to:
`multiprocessing` keeps what is shared in a file there.
"""

from __future__ import annotations

import ctypes
import mmap
import time

SILENCE = 10.0
"""Seconds after a beat within which another one has to come."""
STARTING = 60.0
"""Seconds that a child has until its first."""


class Pulse:
    """Make it before the child is forked. Its clock is CLOCK_MONOTONIC, which all processes share."""

    def __init__(self) -> None:
        # Anonymous and shared (the default of mmap): it has no name, and a fork passes it on.
        self._until = ctypes.c_double.from_buffer(mmap.mmap(-1, ctypes.sizeof(ctypes.c_double)))

    def beat(self) -> None:
        self.promise(SILENCE)

    def promise(self, seconds: float) -> None:
        """Something long begins, which takes no longer than that; the next `beat` ends the promise."""
        self._until.value = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Nothing came in time."""
        return bool(time.monotonic() > self._until.value)
