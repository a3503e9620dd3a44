"""What has been kept long enough: responses of forms with `retention_days`, and deleted responses and forms
after PURGE_DELETED_DAYS.

Contract of `work`: what was due at `now` is gone when it has said that nothing is left, whatever was killed
on the way; what others restore meanwhile stays. Forms are gone through by number, so a task that follows
another goes on where it was; within a form, up to `purged` of its counters nothing is left.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from appliance.clock import utc_now
from appliance.services import purging
from appliance.services.context import Context
from appliance.stores import changes, form_purges, retained, transactions, webhooks
from appliance.stores.mongo import Document
from appliance.stores.purges import Because, Why

SECONDS: Final = 5.0
"""After which the rest is for the next task."""
_FORMS: Final = 200

Told = Callable[[int], None]
"""How many responses are gone so far."""


class Done(NamedTuple):
    after: int
    """The number of the last form that is done."""
    gone: int
    """Responses."""
    is_over: bool


class _TimeIsUp(Exception):
    """The rest is for the next task."""


async def work(context: Context, now: dt.datetime, after: int, told: Told, seconds: float = SECONDS) -> Done:
    """Raises PyMongoError."""
    turn = _Turn(context, now, told, time.monotonic() + seconds)
    last = await transactions.last_number(context.db, "forms")
    while after < last:
        for form in await form_purges.window(context.db, after, after + _FORMS):
            try:
                await turn.form(form)
            except _TimeIsUp:
                return Done(form["number"] - 1, turn.gone, is_over=False)
        after = min(after + _FORMS, last)
        if turn.is_late:
            break
    return Done(after, turn.gone, is_over=after >= last)


class _Turn:
    def __init__(self, context: Context, now: dt.datetime, told: Told, until: float) -> None:
        self._context, self._now, self._told, self._until = context, now, told, until
        self._deleted = now - dt.timedelta(days=context.settings.purge_deleted_days)
        self.gone = 0

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._until

    async def form(self, form: Document) -> None:
        """Raises _TimeIsUp."""
        deleted_at = form["deleted_at"]
        if form.get("purging") or (deleted_at is not None and deleted_at < self._deleted):
            await self._whole(form)
            return
        if days := form["settings"].get("retention_days"):
            before = self._now - dt.timedelta(days=days)
            await self._older(form["_id"], "retention", before)
        await self._deleted_ones(form["_id"])

    async def _whole(self, form: Document) -> None:
        context, form_id = self._context, form["_id"]
        if not await form_purges.begin(context.db, form):
            return
        await self._older(form_id, "form", None)
        async with context.generations.changing(webhooks.GENERATION):
            await form_purges.belongings(context.db, form_id)
        await purging.forget_exports(context, form_id, utc_now())
        await form_purges.end(context.db, form_id)

    async def _older(self, form_id: str, because: Because, before: dt.datetime | None) -> None:
        """Those that came before; all, without one. Numbers and times rise together."""
        db = self._context.db
        counters = await retained.counters(db, form_id)
        if counters is None:
            return
        low, high = retained.reached(counters), changes.whole(counters)
        while low < high:
            window = await retained.window(db, form_id, low, high)
            due = [row["_id"] for row in window.rows if before is None or row["created_at"] < before]
            put_off = await self._purge(form_id, due, because, _came_before(before))
            if len(due) < len(window.rows) or put_off:
                return
            low = window.upto
            await retained.reach(db, form_id, low)

    async def _deleted_ones(self, form_id: str) -> None:
        before, is_due = self._deleted, _deleted_before(self._deleted)
        async for rows in retained.deleted(self._context.db, form_id):
            await self._purge(
                form_id, [row["_id"] for row in rows if row["updated_at"] < before], "deleted", is_due
            )

    async def _purge(
        self, form_id: str, ids: list[str], because: Because, is_due: Callable[[Document], bool]
    ) -> int:
        """How many were put off. Raises _TimeIsUp."""
        put_off = 0
        for first in range(0, len(ids), retained.PIECE):
            if self.is_late:
                raise _TimeIsUp
            piece = ids[first : first + retained.PIECE]
            done = await purging.purge(self._context, form_id, piece, Why(because), is_due)
            self.gone, put_off = self.gone + done.gone, put_off + done.put_off
            self._told(self.gone)
        return put_off


def _came_before(moment: dt.datetime | None) -> Callable[[Document], bool]:
    return lambda row: moment is None or row["created_at"] < moment


def _deleted_before(moment: dt.datetime) -> Callable[[Document], bool]:
    """The last change of a deleted one is its deletion."""
    return lambda row: row["status"] == "deleted" and row["updated_at"] < moment
