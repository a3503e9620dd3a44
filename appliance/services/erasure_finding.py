"""Looking for what is kept of a person, in all forms, deleted ones too.

All is read, some 20,000 responses a second: index terms know neither comments, tables and panels, nor long
answers, nor what an answer was before an edit. What cannot hold it by its bytes is not even decoded.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final

import bson
import msgspec
from msgspec import UNSET

from appliance.clock import utc_now
from appliance.domain import subject as subjects
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.security.sealing import Broken
from appliance.services import deadlines, erasures
from appliance.services.context import Context
from appliance.services.erasure_shapes import Subject
from appliance.stores import changes
from appliance.stores import erasures as rows_of
from appliance.stores.mongo import AWARE, Document
from appliance.stores.pages import Span
from appliance.stores.response_windows import windows
from appliance.stores.transactions import last_number

MOST: Final = 10_000
"""Responses of one person: what fits more is no person."""
_IDS: Final = 100
_FORMS: Final = 200

Finds = dict[str, dict[str, list[str]]]
"""By form: `responses` and `partials`, each their ids; later `submitted`, of half-filled ones that some of
these responses were before."""


class _TooMany(Exception):
    """What is asked for is no person."""


async def work(context: Context, run: Run) -> dict[str, int]:
    """Find it, and write down how much there is. Begun anew after a kill."""
    row = await rows_of.find(context.db, run.id)
    if row is None:
        raise Permanent("there is no such erasure")
    if row["state"] == "finding":
        try:
            subject = erasures.subject_of(context, row)
        except Broken:
            raise Permanent("whom it asks for does not open by the keys of now") from None
        looking = _Looking(context, subject, row["form_id"], run)
        try:
            await looking.everywhere()
        except _TooMany:
            why = f"More than {MOST} responses fit, so it is no person that is asked for."
            await rows_of.settle(context.db, run.id, "refused", error=why)
        else:
            found = counts(looking.finds)
            how: dict[str, Any] = {"found": found, "found_at": utc_now()}
            if row["dry_run"]:
                await rows_of.settle(context.db, run.id, "counted", **how)
            else:
                await rows_of.settle(context.db, run.id, "found", finds=looking.finds, **how)
        row = await rows_of.get(context.db, run.id)
    if row["state"] == "failed":
        raise Permanent("it has failed before; ask again")
    found = row.get("found", [])
    return {"responses": sum(each["responses"] for each in found), "forms": len(found)}


def counts(finds: Finds) -> list[dict[str, Any]]:
    return [
        {"form_id": form_id, "responses": len(each["responses"]), "partials": len(each["partials"])}
        for form_id, each in sorted(finds.items())
    ]


class _Looking:
    def __init__(self, context: Context, subject: Subject, form_id: str | None, run: Run) -> None:
        self._context, self._subject, self._form_id, self._run = context, subject, form_id, run
        self._user = None if subject.user_id is UNSET else subject.user_id
        self._answer = None if subject.answer is UNSET else subjects.spelled(subject.answer)
        self._may_hold = _sieve(self._user, self._answer)
        self._known: set[str] = set()
        self.finds: Finds = {}

    async def everywhere(self) -> None:
        """Raises _TooMany, PyMongoError."""
        if self._subject.response_ids is not UNSET:
            await self._named(self._subject.response_ids)
        if self._user is None and self._answer is None:
            return
        async for form_id, seq in self._forms():
            await self._in_form(form_id, seq)
        if self._answer is not None:
            await self._earlier_states()
            await self._half_filled()

    async def _forms(self) -> AsyncIterator[tuple[str, int]]:
        db = self._context.db
        last = await last_number(db, "forms")
        for low in range(0, last, _FORMS):
            query = {"number": {"$gt": low, "$lte": low + _FORMS}}
            for form in await db.forms.find(query, {"_id": 1}).to_list():
                if self._form_id in (None, form["_id"]):
                    counters = await db.form_counters.find_one({"_id": form["_id"]}, {"seq": 1})
                    yield form["_id"], int(counters["seq"]) if counters else 0
            self._run.progress(min(low + _FORMS, last), last, "forms")

    async def _named(self, ids: list[str]) -> None:
        for first in range(0, len(ids), _IDS):
            query = {"_id": {"$in": ids[first : first + _IDS]}}
            for row in await self._context.db.responses.find(query, {"form_id": 1}).to_list():
                self._take(row["form_id"], row["_id"])

    async def _in_form(self, form_id: str, seq: int) -> None:
        reading = windows(self._context.db, form_id, None, Span(1, seq), deadlines.start)
        async with contextlib.aclosing(reading):
            async for batch, _ in reading:
                for raw in _documents(batch) if self._may_hold(batch) else ():
                    if self._may_hold(raw) and self._fits(row := bson.decode(raw, AWARE)):
                        self._take(form_id, row["_id"])

    def _fits(self, row: Document) -> bool:
        if self._user is not None and row["submitter"] == self._user:
            return True
        return self._answer is not None and subjects.answers(row["data"], self._answer)

    async def _earlier_states(self) -> None:
        """Of responses that were edited since."""
        async for rows in self._changed("response_history", {}, "replaced_at"):
            for row in rows:
                if subjects.answers(row["data"], self._answer or ""):
                    self._take(row["form_id"], row["response_id"])

    async def _half_filled(self) -> None:
        async for rows in self._changed("partials", {"state": "open"}, "updated_at"):
            for row in rows:
                if subjects.answers(_json(row.get("data")), self._answer or ""):
                    self._take(row["form_id"], row["_id"], "partials")

    async def _changed(self, name: str, query: Document, moment: str) -> AsyncIterator[list[Document]]:
        rows = self._context.db[name]

        async def read(when: Document, most: int) -> list[Document]:
            return await rows.find({**query, moment: when}).limit(most).to_list()

        start, end = await self._since(), utc_now() + dt.timedelta(seconds=1)
        async for some in changes.between(read, start, end):
            yield [row for row in some if self._form_id in (None, row["form_id"])]

    async def _since(self) -> dt.datetime:
        """When the first form was made that there is."""
        first = await self._context.db.forms.find({}, {"created_at": 1}).to_list()
        return min((row["created_at"] for row in first), default=utc_now())

    def _take(self, form_id: str, one: str, kind: str = "responses") -> None:
        if self._form_id not in (None, form_id) or one in self._known:
            return
        if len(self._known) == MOST:
            raise _TooMany
        self._known.add(one)
        self.finds.setdefault(form_id, {"responses": [], "partials": []})[kind].append(one)


def _sieve(user: str | None, answer: str | None) -> Callable[[bytes], bool]:
    """Whether raw documents may hold it: by their bytes, where those can tell. Numbers are no text there, and
    only ASCII has its case changed byte by byte; it may be written by other characters too.
    """
    needles: list[bytes] = [] if user is None else [user.encode()]
    if answer is not None:
        if not answer.isascii() or _is_number(answer):
            return lambda batch: True
        needles.append(answer.encode())

    def may_hold(raw: bytes) -> bool:
        if _any_in(needles, raw.lower()) or _any_in(needles, raw):
            return True
        return answer is not None and subjects.may_hide_ascii(raw)

    return may_hold


def _documents(batch: bytes) -> Iterator[bytes]:
    """Each begins with its length."""
    first = 0
    while first < len(batch):
        end = first + int.from_bytes(batch[first : first + 4], "little")
        yield batch[first:end]
        first = end


def _any_in(needles: Iterable[bytes], batch: bytes) -> bool:
    return any(needle in batch for needle in needles)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(text: Any) -> Any:
    try:
        return msgspec.json.decode(text or "null")
    except (msgspec.DecodeError, TypeError):
        return None
