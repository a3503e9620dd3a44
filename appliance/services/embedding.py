"""What the task `embed_responses` does: whatever search by meaning does not have yet, or not as it is now.

Contract: a piece takes about a second, and is on the disk before it is noted (`stores.embedded`), so whatever
is killed goes on where it was, and what is there already is not embedded again. Between two pieces it gives
way to whatever waits for the models. Forms take turns, so a new response does not wait for a form's hundred
thousand old ones.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from appliance import logs
from appliance.ai.engine import Embed
from appliance.ai.vector_file import Entry
from appliance.ai.vector_writer import Damaged, Writer
from appliance.errors import NotFound, Unavailable
from appliance.queue.engine import PREFIX
from appliance.queue.run import Run
from appliance.services import vector_place
from appliance.services.context import Context
from appliance.stores import ai_counts, embedded
from appliance.stores.mongo import Document

log = logs.get(__name__)

PIECE = 1.0
"""Seconds after which a piece ends; a text takes some ms, a long one on a busy machine 50."""
ROWS = 128
"""Responses in a piece at most."""
_FORMS = 50
"""That take turns."""
LONGEST = 120.0
"""Seconds that one run goes on for when nobody else waits: well within a task's time."""
_WASTED = 0.5
_SMALL = 1_000
"""Records below which a file is not worth compacting."""


class GivesWay(Exception):
    """Somebody waits: the rest later."""


class Embedding:
    """One run of the task. Its methods raise ModelFault, and Unavailable when the disk is full."""

    def __init__(self, context: Context, run: Run, writer: Writer, embed: Embed) -> None:
        self._context, self._run, self._writer, self._embed = context, run, writer, embed
        self._begun = time.monotonic()
        self.embedded = self.wiped = 0

    async def work(self) -> dict[str, int]:
        """All there is. Raises GivesWay."""
        total = await embedded.pending_of_all(self._context.db)
        await ai_counts.set_pending(self._context.redis, total)
        while await self._round(total):
            pass
        await self._compact()
        await ai_counts.set_pending(self._context.redis, await embedded.pending_of_all(self._context.db))
        return {"embedded": self.embedded, "wiped": self.wiped}

    async def _round(self, total: int) -> bool:
        """A piece of every form that has something; False when nothing could be done."""
        moved = await self._update_changed()
        for counters in await embedded.marked(self._context.db, _FORMS):
            moved |= await self._go_on(counters)
            self._run.progress(self.embedded, max(total, self.embedded), "responses")
            await self._give_way()
        return moved

    async def _give_way(self) -> None:
        waiting = await self._context.redis.llen(f"{PREFIX}list:batched")
        if waiting or time.monotonic() - self._begun > LONGEST:
            raise GivesWay

    # -- what was submitted

    async def _go_on(self, counters: Document) -> bool:
        """A piece of one form."""
        db, form_id = self._context.db, counters["_id"]
        end, begin = await embedded.settled(db, counters), await embedded.upto(db, form_id)
        high = min(begin + ROWS, end)
        if high > begin:
            query = {"form_id": form_id, "seq": {"$gt": begin, "$lte": high}}
            rows = sorted(await db.responses.find(query).to_list(), key=lambda row: int(row["seq"]))
            high = await self._put(rows, high)
            await embedded.reach(db, form_id, high)
        if high == counters["seq"]:
            await embedded.unmark(db, form_id, high)
        return high > begin

    async def _put(self, rows: Sequence[Document], high: int) -> int:
        """The number up to which these rows of one form were dealt with, when the piece's time was over."""
        until, entries = time.monotonic() + PIECE, []
        for row in rows:
            if time.monotonic() > until:
                high = int(row["seq"]) - 1
                break
            known = self._writer.index.revision(row["_id"])
            if known != row["revision"] and (entry := await self._entry(row)):
                entries.append(entry)
        await self._keep(entries)
        return high

    # -- what was changed

    async def _update_changed(self) -> bool:
        """The answers changed, or the response went, or came back."""
        db, until = self._context.db, time.monotonic() + PIECE
        changed = await embedded.outdated(db, ROWS)
        found = {"_id": {"$in": [one.response_id for one in changed]}}
        rows = {row["_id"]: row for row in await db.responses.find(found).to_list()}
        entries, gone, done = [], [], []
        for one in changed:
            if time.monotonic() > until:
                break
            row = rows.get(one.response_id)
            if row is not None and (entry := await self._entry(row)):
                entries.append(entry)
            else:
                gone.append(one.response_id)
            done.append(one)
        self.wiped += self._writer.delete(gone)
        await self._keep(entries)
        await embedded.update(db, done)
        return bool(done)

    # -- both

    async def _entry(self, row: Document) -> Entry | None:
        """None for what has no free text, and for what was deleted."""
        if row["status"] == "deleted":
            return None
        try:
            text = (await self._context.texts.get(self._context, row["form_id"]))(row)
        except NotFound:
            return None
        if not text:
            return None
        (vector,) = self._embed([text])
        return Entry(row["_id"], row["form_id"], row["created_at"], row["revision"], vector)

    async def _keep(self, entries: list[Entry]) -> None:
        if not entries:
            return
        self._context.space.check()
        try:
            self._writer.put(entries)
        except OSError as fault:
            raise Unavailable(f"The file of vectors cannot be written: {fault.strerror}.") from fault
        await embedded.note(self._context.db, noted(self._writer))
        self.embedded += len(entries)
        await ai_counts.add(self._context.redis, {"responses_embedded": len(entries)})

    async def _compact(self) -> None:
        """Killed before it is noted, the file is taken for another one, and all is embedded anew."""
        if len(self._writer.index.records) > _SMALL and self._writer.wasted > _WASTED:
            self._context.space.check()
            self._writer.compact()
            await embedded.note(self._context.db, noted(self._writer))


def noted(writer: Writer) -> embedded.File:
    """What is to be noted of the file as it is now."""
    return embedded.File(writer.index.path.name, writer.inode, writer.bytes)


class Held:
    """The writer of this process, kept between tasks: opening a large file takes a second."""

    def __init__(self) -> None:
        self._writer: Writer | None = None

    async def get(self, context: Context, place: vector_place.Place) -> Writer:
        """Of the present model's file. One that is lost, damaged, or was never there, is begun.

        Raises BlockingIOError when another process writes, ModelFault, OSError.
        """
        known = await embedded.find_file(context.db)
        if known is None:
            return await self._begin(context, place)
        if not place.holds(known):
            return await self._begin(context, place, "it is not the file that was written last")
        if self._writer is not None and (self._writer.index.path != place.path or self._writer.is_lost):
            self._close()
        if self._writer is None:
            try:
                self._writer = Writer(place.path, place.dimensions, least=known.bytes)
            except Damaged as damage:
                return await self._begin(context, place, str(damage))
        return self._writer

    async def _begin(self, context: Context, place: vector_place.Place, why: str = "") -> Writer:
        """The file first: killed before it is noted, it is not the one that was noted, and is begun again."""
        self._close()
        if why:
            log.warning("all responses are embedded anew", extra={"file": str(place.path), "why": why})
        self._writer = Writer(place.path, place.dimensions, anew=True)
        _remove_others(place)
        await embedded.begin(context.db, noted(self._writer))
        return self._writer

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


def _remove_others(place: vector_place.Place) -> None:
    """The files of other models."""
    for file in place.path.parent.glob("*.vectors*"):
        if not file.name.startswith(place.path.name) and file.is_file():
            file.unlink()
