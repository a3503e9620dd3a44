"""When a child that died is started again: at once, or later each time where it dies as soon as it starts."""

from __future__ import annotations

import time

QUICK = 1.0
"""Seconds: who lives less long, and got no task, could not even begin."""
_FIRST = 0.1
_LONGEST = 5.0
"""Seconds between two starts: the first wait, and the last, after doubling."""


class Restarts:
    """Of the slots of a pool."""

    def __init__(self) -> None:
        self._waits: dict[int, float] = {}
        self._until: dict[int, float] = {}

    def died(self, slot: int, lived: float, *, worked: bool) -> float:
        """Seconds until another one may start. `lived` are seconds; `worked`: it had a task."""
        if worked or lived >= QUICK:
            self._waits.pop(slot, None)
            self._until.pop(slot, None)
            return 0.0
        wait = min(_LONGEST, 2 * self._waits.get(slot, _FIRST / 2))
        self._waits[slot], self._until[slot] = wait, time.monotonic() + wait
        return wait

    def may_start(self, slot: int) -> bool:
        return time.monotonic() >= self._until.get(slot, 0.0)
