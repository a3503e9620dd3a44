"""The inbox of alerts: one row for each time that one has begun, whoever raised it.

`{_id, number, fingerprint, name, severity, labels, summary, next, state, started_at, ended_at, acknowledged,
silenced, silence_id, history, open, told_as}`

`_id` is made of Alertmanager's fingerprint of the labels and of the time when it began, so that the same one
told twice is one row. `acknowledged` is `{by, at, note}`, `silenced` the same with `until`; both are kept
when it is over. `told_as` is when it has begun by what is told since Prometheus and Alertmanager were started
anew. `silence_id` names what keeps it quiet in Alertmanager. `open` is there while somebody has to look after
the row: until it is over, and nothing keeps it quiet any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

from appliance.errors import NotFound
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, last_number, next_number, together

STATES: Final = ("firing", "acknowledged", "silenced", "resolved")
_AT_ONCE: Final = 100
_HISTORY: Final = 50
"""Entries of a row: the first, and the newest."""

Tell = Callable[[Session, Document], Awaitable[None]]
"""What else is written with a new row. It must be safe to run twice."""


class Step(NamedTuple):
    """What happened to a row, as its history has it."""

    at: dt.datetime
    what: str
    """`fired`, `acknowledged`, `unacknowledged`, `silenced`, `unsilenced`, `resolved` or `fired_again`."""
    by: str | None = None
    note: str | None = None


def alert_id(fingerprint: str, started_at: dt.datetime) -> str:
    return f"{fingerprint}-{int(started_at.timestamp() * 1000)}"


async def known(db: Database, ids: Iterable[str]) -> dict[str, Document]:
    """Those of the rows that are there, by id."""
    wanted, found = list(ids), []
    for first in range(0, len(wanted), _AT_ONCE):
        found += await db.alerts.find({"_id": {"$in": wanted[first : first + _AT_ONCE]}}).to_list()
    return {row["_id"]: row for row in found}


async def insert(db: Database, row: Document, tell: Tell | None = None) -> bool:
    """False when it was there already; then nothing is told."""

    async def write(session: Session) -> bool:
        if await db.alerts.find_one({"_id": row["_id"]}, session=session) is not None:
            return False
        number = await next_number(db, session, "alerts")
        whole = {**row, "number": number, **({} if row["state"] == "resolved" else {"open": True})}
        await db.alerts.insert_one(whole, session=session)
        if tell is not None:
            await tell(session, whole)
        return True

    return await together(db, write)


async def change(
    db: Database,
    alert_id: str,
    decide: Callable[[Document], Document | None],
    step: Step | None,
    deed: audit.Entry | None = None,
) -> Document:
    """The row after the fields that `decide` gives are changed; it may raise, and None changes nothing.

    Raises NotFound. An `open` of None goes, since an index is of those rows alone that have it.
    """

    async def write(session: Session) -> Document:
        row = await db.alerts.find_one({"_id": alert_id}, session=session)
        if row is None:
            raise NotFound("There is no such alert.")
        fields = decide(row)
        if fields is None:
            return row
        if step is not None:
            told: list[Document] = [*row["history"], step._asdict()]
            fields = {**fields, "history": told[:1] + told[1:][-_HISTORY:]}
        after = {**row, **fields}
        if after.get("open") is None:
            after.pop("open", None)
        await db.alerts.replace_one({"_id": alert_id}, after, session=session)
        if deed is not None:
            await audit.record(db, session, deed)
        return after

    return await together(db, write)


async def get(db: Database, alert_id: str) -> Document:
    """Raises NotFound."""
    row = await db.alerts.find_one({"_id": alert_id})
    if row is None:
        raise NotFound("There is no such alert.")
    return row


async def newest(db: Database, query: Document, high: int | None, limit: int) -> pages.Page:
    """A page, the last ones to begin first."""
    if high is None:
        high = await last_number(db, "alerts")
    return await pages.newest_first(db.alerts, {}, query, "number", pages.Span(1, high), limit)


async def open_rows(db: Database) -> list[Document]:
    """All that somebody has to look after."""
    return await db.alerts.find({"open": True}).to_list()


async def unended(db: Database, fingerprints: Iterable[str]) -> list[Document]:
    """Rows of these that are not over."""
    wanted = set(fingerprints)
    if not wanted:
        return []
    return [row for row in await open_rows(db) if row["fingerprint"] in wanted and row["state"] != "resolved"]


async def prune(db: Database, before: dt.datetime, most: int) -> int:
    """Take out what is over for longer, and of what is over all but the newest `most`; how many."""
    over = await db.alerts.find({"state": "resolved"}, {"number": 1, "ended_at": 1, "open": 1}).to_list()
    over = sorted((row for row in over if not row.get("open")), key=lambda row: -row["number"])
    gone: list[Any] = [
        row["_id"] for place, row in enumerate(over) if place >= most or row["ended_at"] < before
    ]
    for first in range(0, len(gone), _AT_ONCE):
        await db.alerts.delete_many({"_id": {"$in": gone[first : first + _AT_ONCE]}})
    return len(gone)
