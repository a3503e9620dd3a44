"""Room on the disk: writes are refused while some is left, because the embedded database dies of none.

A full disk makes its WiredTiger panic: from then on it answers no read either. Refusing writes early keeps
reads going, and what is kept back is what journals, checkpoints and logs still need.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from appliance.disk import RESERVE_BYTES, free_bytes
from appliance.errors import Unavailable

_FRESH = 0.5
"""Seconds that a measurement counts."""


class Space:
    """The file system below `path`, and how much of it is kept back."""

    def __init__(
        self,
        path: Path,
        reserve_bytes: int = RESERVE_BYTES,
        *,
        measure: Callable[[Path], int] = free_bytes,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.reserve_bytes = path, reserve_bytes
        self._measure, self._now = measure, now
        self._free, self._measured = 0, float("-inf")

    @property
    def free(self) -> int:
        """Bytes, at most half a second old. Raises OSError when the folder is gone."""
        if self._now() - self._measured >= _FRESH:
            self._free, self._measured = self._measure(self.path), self._now()
        return self._free

    def is_short(self) -> bool:
        return self.free < self.reserve_bytes

    def check(self) -> None:
        """Call before a write. Raises Unavailable."""
        try:
            short = self.is_short()
        except OSError:
            raise Unavailable("The data folder cannot be reached; nothing was stored.") from None
        if short:
            raise Unavailable("The disk is nearly full; nothing was stored.", retry_after=30)
