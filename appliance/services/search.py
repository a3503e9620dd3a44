"""Search by meaning: the nearest responses of a form to a text, and that they are still what they were.

`tasks.searcher` compares vectors; the database has the last word. What was deleted, changed since it was
embedded, or does not pass the filters is left out, and more are asked for in its place.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import msgspec

from appliance.addresses import Paths
from appliance.ai import search_socket
from appliance.ai.search_socket import Asked
from appliance.domain.access import Caller, Level
from appliance.errors import TooMany, Unavailable
from appliance.services import ai
from appliance.services.context import Context
from appliance.services.forms import visible_state
from appliance.services.free_text import TextOf
from appliance.services.responses import index_terms, response_shape
from appliance.services.search_shapes import FoundResponse, FoundResponses
from appliance.stores import ai_counts, embedded
from appliance.stores.mongo import Document
from appliance.stores.responses import TimeRange

Kept = Literal["accepted", "flagged"]

_SECONDS = 3.0
"""For an answer of the searcher: the database has its own four, and a request five."""
_WAITING = 10
"""Searches that one process waits for at most; an answer takes some 20 ms."""
_AMONG = 5_000
"""Responses that a filter may leave, for the nearest to be sought among just them."""
_SPARE = 10
"""Asked for beyond what is wanted, since some may have been deleted."""
_EARLY = 400
"""Looked at before what a filter leaves is looked up, which takes longer."""
_MOST = 2_000
"""Looked at in the database at most, where a filter leaves more than those."""
_LAST = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC).timestamp()
_SHOWN = 500
"""Characters of a text."""


@dataclass(frozen=True, slots=True)
class Wanted:
    query: str
    limit: int
    status: Kept | None
    times: TimeRange
    filters: dict[str, str]


async def search(context: Context, caller: Caller, form_id: str, wanted: Wanted) -> FoundResponses:
    """Raises NotFound, BadRequest (filters), TooMany, Unavailable while AI is off or building."""
    begun = time.monotonic()
    await visible_state(context, caller, form_id, Level.VIEW)
    model = ai.choose(context, "embedding", "")
    terms = await index_terms(context, form_id, wanted.filters, wanted.status)
    async with _turn(context):
        # Before vectors are compared: what is embedded anew after that was compared as it had been.
        outdated, file = await asyncio.gather(
            embedded.outdated_of(context.db, form_id), embedded.find_file(context.db)
        )
        text_of = await context.texts.get(context, form_id)
        looking = _Looking(context, caller, form_id, wanted, terms, outdated, text_of)
        pending, _ = await asyncio.gather(embedded.pending(context.db, form_id), looking.look())
        is_whole = await _is_whole(context, file, looking.file)
    await ai_counts.add(context.redis, {"searches": 1, "search_seconds": time.monotonic() - begun})
    return FoundResponses(
        responses=looking.found,
        pending=pending,
        complete=looking.is_complete and is_whole and not pending,
        model=model,
    )


async def _is_whole(context: Context, noted: embedded.File | None, seen: tuple[int, int]) -> bool:
    """All that was embedded before the search was there to be found; if not, it is embedded anew."""
    inode, sound = seen
    if noted is None:
        return not inode  # nothing was ever embedded, or it is begun anew, and what is pending says so
    if noted.inode != inode:
        return False  # taken away or replaced a moment ago: the scheduler sees that by itself
    if sound < noted.bytes:
        await embedded.doubt(context.db, noted)
        return False
    return True


@asynccontextmanager
async def _turn(context: Context) -> AsyncGenerator[None]:
    if context.searches >= _WAITING:
        raise TooMany("As many searches wait as are answered in a second; ask again.", retry_after=1)
    context.searches += 1
    try:
        yield
    finally:
        context.searches -= 1


async def _among(context: Context, form_id: str, terms: list[str]) -> list[str] | None:
    """The responses with the index term of the fewest, if they are few; None when there are many."""
    query = {"form_id": form_id, "kv": terms[0]}
    rows = await context.db.responses.find(query, {"_id": 1}).limit(_AMONG + 1).to_list()
    return [row["_id"] for row in rows] if len(rows) <= _AMONG else None


class _Looking:
    """One search."""

    def __init__(
        self,
        context: Context,
        caller: Caller,
        form_id: str,
        wanted: Wanted,
        terms: list[str],
        outdated: set[str],
        text_of: TextOf,
    ) -> None:
        self._context, self._form_id, self._wanted = context, form_id, wanted
        self._terms, self._tells_all, self._text_of = terms, caller.is_admin, text_of
        self._outdated = outdated
        self._passes = _passes(form_id, wanted, terms)
        self.found: list[FoundResponse] = []
        self.is_complete = False
        self.file = (0, 0)
        """Of what was looked through: its inode, and up to which byte it is whole."""

    async def look(self) -> None:
        """Ask for more, each time four times as many, until enough of them pass. Where few do, those that may
        are looked up first, and the nearest sought among them.
        """
        looked, most, among, rare = 0, self._wanted.limit + _SPARE, None, bool(self._terms)
        while True:
            hits = await self._ask(most, among)
            await self._take(hits[looked:])
            self.is_complete = len(self.found) == self._wanted.limit or len(hits) < most
            if self.is_complete or most == _MOST:
                return
            looked, most = len(hits), min(_MOST, most * 4)
            if rare and most > _EARLY:
                rare = False
                if (among := await _among(self._context, self._form_id, self._terms)) is not None:
                    self.found, looked, most = [], 0, self._wanted.limit + _SPARE

    async def _ask(self, most: int, among: list[str] | None) -> list[tuple[str, float]]:
        start, end = self._wanted.times
        asked = Asked(
            self._wanted.query,
            self._form_id,
            most,
            since=start.timestamp() if start else None,
            until=min(end.timestamp() + 0.001, _LAST) if end else None,
            among=among,
        )
        socket = Paths(self._context.settings.data).search_socket
        try:
            answer = await search_socket.ask(socket, asked, _SECONDS)
        except (OSError, TimeoutError):
            raise Unavailable("Search by meaning does not answer; ask again.", retry_after=5) from None
        if answer.fault:
            why = answer.fault if self._tells_all else "its operator finds in the log of worker-high why"
            raise Unavailable(f"The model cannot be used: {why}.", retry_after=60)
        self.file = (answer.inode, answer.sound)
        return answer.hits

    async def _take(self, hits: list[tuple[str, float]]) -> None:
        """Those that are still so and pass the filters, up to the limit."""
        if not hits:
            return
        ids = [response_id for response_id, _ in hits if response_id not in self._outdated]
        rows = await self._context.db.responses.find({"_id": {"$in": ids}}).to_list()
        known = {row["_id"]: row for row in rows if self._passes(row)}
        for response_id, score in hits:
            if response_id in known and len(self.found) < self._wanted.limit:
                self.found.append(self._shape(known[response_id], score))

    def _shape(self, row: Document, score: float) -> FoundResponse:
        shape = msgspec.structs.asdict(response_shape(row))
        return FoundResponse(**shape, score=round(score, 4), text=self._text_of(row)[:_SHOWN])


def _passes(form_id: str, wanted: Wanted, terms: list[str]) -> Callable[[Document], bool]:
    start, end = wanted.times

    def passes(row: Document) -> bool:
        if row["form_id"] != form_id or row["status"] == "deleted":
            return False
        if wanted.status is not None and row["status"] != wanted.status:
            return False
        if (start and row["created_at"] < start) or (end and row["created_at"] > end):
            return False
        return all(term in row["kv"] for term in terms)

    return passes
