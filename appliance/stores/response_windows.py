"""Many responses of a form, in the order of their numbers, in bounded memory.

Read raw and whole, window by window over `seq`: the embedded server needs longer to leave fields out than to
send them (20,000 rows a second against 13,000), and reads the whole collection for a query that names any
field outside of its index. So other conditions are asked here. A window is one batch of the server, which
holds 16 MB at most: one that has more is read anew and narrower.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from appliance.stores.mongo import Database, Document
from appliance.stores.pages import WIDEST, Span

ROWS = 1_000
"""Wanted in a window."""
BYTES = 2 * 1024 * 1024
"""Wanted in a window; large responses come fewer at a time."""
_FIRST = 200
_AHEAD = 2
"""Windows that are read at a time."""
_TURNS = 8
"""Of the event loop, within which the driver has sent a query."""

Piece = tuple[bytes, bool]
Start = Callable[[Awaitable[Piece]], asyncio.Task[Piece]]
"""How a read is begun: with a deadline of its own."""


async def windows(
    db: Database, form_id: str, term: str | None, span: Span, start: Start
) -> AsyncGenerator[tuple[bytes, int]]:
    """Raw documents of the form that have the index term, and the highest number that was looked at.

    The next windows are read while the caller works on this one: with one alone, the server would wait for as
    long as it takes to receive it. Raises PyMongoError.
    """
    low, width = span.low, _FIRST
    reads: deque[tuple[Span, asyncio.Task[Piece]]] = deque()

    async def read_ahead() -> None:
        nonlocal low
        while len(reads) < _AHEAD and low <= span.high:
            asked = Span(low, min(low + width - 1, span.high))
            reads.append((asked, start(_window(db, form_id, term, asked))))
            low = asked.high + 1
        for _ in range(_TURNS):  # the server is to be at work while the caller is
            await asyncio.sleep(0)

    try:
        await read_ahead()
        while reads:
            asked, reading = reads[0]
            batch, is_whole = await reading
            if is_whole:
                reads.popleft()
                width = _next_width(asked.high - asked.low + 1, batch)
            else:
                _cancel(reads)
                low, width = asked.low, max(1, (asked.high - asked.low + 1) // 8)
            await read_ahead()
            if is_whole:
                yield batch, asked.high
    finally:
        _cancel(reads)


def _cancel(reads: deque[tuple[Span, asyncio.Task[Piece]]]) -> None:
    while reads:
        reads.pop()[1].cancel()


async def _window(db: Database, form_id: str, term: str | None, span: Span) -> Piece:
    """The first batch, and whether it is all there is. One number always is: a document has 16 MB at most."""
    query: Document = {"form_id": form_id, **({} if term is None else {"kv": term})}
    query["seq"] = {"$gte": span.low, "$lte": span.high}
    # One more than there can be, so that the server knows that it has sent all.
    cursor = db.responses.find_raw_batches(query, batch_size=span.high - span.low + 2)
    async for batch in cursor:
        raw: Any = batch  # the driver's types say that it is decoded
        is_whole = not cursor.alive or span.low == span.high
        await cursor.close()
        return raw, is_whole
    return b"", True


def _next_width(width: int, batch: bytes) -> int:
    """As many numbers as hold the wanted bytes, but at most twice as many as before."""
    likely = width * BYTES // len(batch) if batch else width * 2
    return max(1, min(likely, width * 2, WIDEST if len(batch) < BYTES // 4 else ROWS))
