"""Looking for responses that were kept long enough: by windows of their numbers, as the index has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from appliance.stores import pages, purges
from appliance.stores.mongo import Database, Document
from appliance.stores.responses import status_term

PIECE: Final = purges.PIECE
_ROWS: Final = 500
_SHOWN: Final[Document] = {"seq": 1, "created_at": 1, "updated_at": 1}


class Window(NamedTuple):
    rows: list[Document]
    upto: int
    """The highest number that was looked at."""


async def counters(db: Database, form_id: str) -> Document | None:
    row = await db.form_counters.find_one({"_id": form_id})
    return row if row and row["seq"] else None


def reached(counters: Document) -> int:
    """Up to this number nothing is left."""
    return int(counters.get("purged", 0))


async def reach(db: Database, form_id: str, number: int) -> None:
    await db.form_counters.update_one({"_id": form_id}, {"$max": {"purged": number}})


async def window(db: Database, form_id: str, low: int, high: int) -> Window:
    """The next ones above `low`; where none are any more, it is wide."""
    width = _ROWS
    while True:
        upto = min(low + width, high)
        numbers = {"$gt": low, "$lte": upto}
        rows = await db.responses.find({"form_id": form_id, "seq": numbers}, _SHOWN).to_list()
        if rows or upto == high:
            return Window(sorted(rows, key=lambda row: int(row["seq"])), upto)
        low, width = upto, min(width * 2, pages.WIDEST)


async def deleted(db: Database, form_id: str) -> AsyncIterator[list[Document]]:
    """Deleted ones, some at a time."""
    found = await counters(db, form_id)
    high = int(found["seq"]) if found else 0
    for low in range(0, high, pages.WIDEST):
        numbers = {"$gt": low, "$lte": low + pages.WIDEST}
        query = {"form_id": form_id, "kv": status_term("deleted"), "seq": numbers}
        if rows := await db.responses.find(query, _SHOWN).to_list():
            yield rows
