"""What changed in a time is read whole, in pieces that the database can answer."""

from __future__ import annotations

import asyncio
import bisect
import datetime as dt
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.stores.changes import MOST, between

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SPAN = 40 * 24 * 3600 * 1000
"""Milliseconds."""


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.integers(0, SPAN - 1), st.integers(1, 3 * MOST), max_size=6))
@example({0: 1, SPAN - 1: 1})
@example({5: 10 * MOST, 6: 1})
@example(dict.fromkeys(range(40), MOST // 4))
def test_each_is_read_once_and_few_at_a_time(counts: dict[int, int]) -> None:
    moments = sorted(START + dt.timedelta(milliseconds=at) for at in counts for _ in range(counts[at]))
    sizes: list[int] = []

    async def read(moment: dict[str, Any], most: int) -> list[dict[str, Any]]:
        low, high = (bisect.bisect_left(moments, moment[which]) for which in ("$gte", "$lt"))
        high = min(high, low + most) if most else high
        sizes.append(high - low)
        return [{"row": number} for number in range(low, high)]

    async def work() -> list[Any]:
        end = START + dt.timedelta(milliseconds=SPAN)
        return [row["row"] async for piece in between(read, START, end) for row in piece]

    assert asyncio.run(work()) == [*range(len(moments))]
    assert max(sizes) <= max(MOST + 1, *counts.values(), 0)
    assert len(sizes) < 60 + 20 * len(counts) + len(moments) / 100
