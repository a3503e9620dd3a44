"""Who is to hear of an event, kept in the process: nothing is written where nobody asked.

What was read is believed while the generation of all webhooks is the one it was read under, so that the
first event after a webhook's 201 reaches it; and for a minute at most, for rights may change as well. They
are looked at again before anything is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from appliance.domain.access import Caller, Level, level
from appliance.stores import webhooks
from appliance.stores.generations import Generations
from appliance.stores.mongo import Database

_FRESH = 60.0
"""Seconds."""


class _Subscriber(NamedTuple):
    webhook_id: str
    owner: Caller
    form_id: str | None
    events: frozenset[str]


class _Known(NamedTuple):
    subscribers: tuple[_Subscriber, ...]
    generation: int
    until: float
    """Monotonic."""


class Subscriptions:
    """One a process. Each question answers with ids of webhooks."""

    def __init__(self, db: Database, generations: Generations) -> None:
        self._db, self._generations = db, generations
        self._known: _Known | None = None
        self._reading = asyncio.Lock()

    async def of_form(self, event_type: str, form: Mapping[str, Any]) -> list[str]:
        """Those of this form, if their owner may still see it; those of all forms, if they may manage it."""
        needed = {form["_id"]: Level.VIEW, None: Level.MANAGE}
        return [
            each.webhook_id
            for each in await self._all(event_type)
            if each.form_id in needed and level(each.owner, form) >= needed[each.form_id]
        ]

    async def of_user(self, event_type: str, user_id: str, form_id: str | None) -> list[str]:
        """Those of one owner, about something that they have done, with this form if with any."""
        return [
            each.webhook_id
            for each in await self._all(event_type)
            if each.owner.user_id == user_id and each.form_id in (None, form_id)
        ]

    async def of_admins(self, event_type: str) -> list[str]:
        return [each.webhook_id for each in await self._all(event_type) if each.owner.is_admin]

    async def _all(self, event_type: str) -> list[_Subscriber]:
        known = self._current()
        if known is None:
            async with self._reading:
                known = self._current() or await self._read()
        return [each for each in known.subscribers if event_type in each.events]

    def _current(self) -> _Known | None:
        known = self._known
        if known is None or known.until < time.monotonic():
            return None
        return known if known.generation == self._generations.get(webhooks.GENERATION) else None

    async def _read(self) -> _Known:
        generation, now = self._generations.get(webhooks.GENERATION), time.monotonic()
        rows = await webhooks.subscriptions(self._db)
        owners = await webhooks.owners(self._db, rows)
        found = tuple(
            _Subscriber(row["_id"], owners[row["_id"]], row["form_id"], frozenset(row["events"]))
            for row in rows
            if row["_id"] in owners
        )
        self._known = _Known(found, generation, now + _FRESH)
        return self._known
