"""Pages of rows, newest first, that cost the same in a collection of a thousand and of a hundred thousand.

The embedded server does not push a limit down: `find(...).limit(50)` reads every match (4 s at 50,000).
So a page is read in windows over a number that only grows (a response's `seq`, a form's `number`), each
window as wide as is likely to hold what is still missing. Rows that are added meanwhile get higher
numbers, so a walk never meets them twice nor loses its place.
"""

from __future__ import annotations

from typing import NamedTuple

from appliance.stores.mongo import Collection, Document

WIDEST = 8_000
"""Numbers in one window at most: a dense region behind a sparse one is then read in bounded time."""
WINDOWS = 16
"""Windows in one page at most; the page is then short, and its cursor goes on."""


class Page(NamedTuple):
    rows: list[Document]
    next_number: int | None
    """The highest number that the next page may show; None when nothing is left."""


class Span(NamedTuple):
    """A stretch of numbers, both ends included."""

    low: int
    high: int


async def newest_first(
    collection: Collection,
    indexed: Document,
    query: Document,
    field: str,
    span: Span,
    limit: int,
    *,
    hide: Document | None = None,
) -> Page:
    """At most `limit` rows that match `indexed` and `query` and have `field` within `span`, highest first.

    `indexed` and `field` must be the fields of one index, and nothing else: the embedded server reads by an
    index only what names no other field, else the whole collection. So the rest is a stage of its own.
    """
    rest: list[Document] = [{"$match": query}] if query else []
    if hide:
        rest.append({"$project": hide})
    rows: list[Document] = []
    high, width = span.high, limit
    for _ in range(WINDOWS):
        if high < span.low or len(rows) >= limit:
            break
        low = max(span.low, high - width + 1)
        bounds = {field: {"$gte": low, "$lte": high}}
        stages = [{"$match": {**indexed, **bounds}}, *rest]
        found = await (await collection.aggregate(stages)).to_list()
        found.sort(key=lambda row: -row[field])
        rows += found
        width = _next_width(high - low + 1, len(found), limit - len(rows))
        high = low - 1
    if len(rows) > limit:
        rows = rows[:limit]
        high = rows[-1][field] - 1
    return Page(rows, high if high >= span.low else None)


def _next_width(width: int, found: int, missing: int) -> int:
    """Wide enough for what is missing at the density just seen, but never a leap of more than four times."""
    likely = missing * width * 5 // (4 * found) if found else width * 4
    return max(1, min(likely, width * 4, WIDEST))
