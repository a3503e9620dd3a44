"""Requests by route template, method and status, and how long their answers took to begin.

No label comes from a caller: what no route takes is `unmatched`, a method that HTTP has no name for `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from appliance.metrics.counts import Counts

TOTAL: Final = "http_requests"
SECONDS: Final = "http_request_seconds"
UNMATCHED: Final = "unmatched"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"
BOUNDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds."""
GONE: Final = 499
"""Of a request whose caller hung up before it had an answer, as nginx calls it."""

_NANOSECONDS: Final = tuple(int(bound * 1e9) for bound in BOUNDS)
_SUM: Final = len(BOUNDS) + 1
CELLS: Final = _SUM + 1
"""Of a histogram: one for each bound, one for what is above, and the sum of nanoseconds."""


class Requests:
    """Of one process."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._totals: dict[tuple[str, str, int], int] = {}
        self._times: dict[tuple[str, str], int] = {}

    def note(self, route: str, method: str, status: int, nanoseconds: int) -> None:
        """1 µs once it was there before; that holds for all labels there can be."""
        if method not in METHODS:
            method = OTHER
        cells = self._counts.cells  # another one, once its file was removed
        total = self._totals.get((route, method, status))
        if total is None:
            total = self._counts.place(TOTAL, route, method, str(status))
            self._totals[route, method, status] = total
        cells[total] += 1
        times = self._times.get((route, method))
        if times is None:
            times = self._times[route, method] = self._counts.place(SECONDS, route, method, cells=CELLS)
        if times >= 0:
            cells[times + bisect_left(_NANOSECONDS, nanoseconds)] += 1
            cells[times + _SUM] += nanoseconds
