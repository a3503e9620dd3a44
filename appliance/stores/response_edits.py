"""Changes of stored responses: each keeps the state before it, in `response_history`, in one transaction.

A response has a `revision`, 1 when it was submitted. A history row is the state as it was: `{response_id,
form_id, revision, data, status, tags, updated_at, replaced_at, replaced_by}`. Places under a response limit
are not touched: a deleted response counts until it is purged; those of quotas move with the answers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from appliance.clock import utc_now
from appliance.domain import event
from appliance.errors import Conflict, NotFound
from appliance.queue.scripts import Job
from appliance.stores import ai_results, audit, embedded, outbox, pages, quotas
from appliance.stores.mongo import Database, Document
from appliance.stores.responses import terms_with_status
from appliance.stores.transactions import Overtaken, Session, together

_DUPLICATE = 11000
_STATE = ("data", "status", "tags", "updated_at")

Change = Callable[[Document], Document]
"""From a stored response to the fields that change; empty when none does."""


class Happening(NamedTuple):
    """What a change is to those who hear of it."""

    type: str
    subscribers: Sequence[str]
    """Ids of webhooks."""


class Changed(NamedTuple):
    """Of many: how many were changed, which of them the form has, and the tasks that follow."""

    changed: int
    found: set[str]
    jobs: list[Job]


async def change(
    db: Database, row: Document, fields: Document, deed: audit.Entry, happening: Happening
) -> Document:
    """Write `fields` over the response as it was read. Raises Overtaken when it was changed since."""

    async def write(session: Session) -> None:
        # First: submissions write the counters all the time, and from here on they wait for us.
        if "kv" in fields:
            await quotas.move(db, session, row["form_id"], row["kv"], fields["kv"])
        if await _write(db, session, [_Edit(row, fields, happening)], deed.actor) != 1:
            raise Overtaken("The response was changed since you read it; read it again.")
        await audit.record(db, session, deed)

    try:
        await together(db, write)
    except BulkWriteError as fault:
        if any(error["code"] != _DUPLICATE for error in fault.details["writeErrors"]):
            raise
        raise Conflict("A file in it belongs to another response by now.") from None
    changed = await db.responses.find_one({"_id": row["_id"]})
    if changed is None:
        raise NotFound("The form has no such response.")
    return changed


async def change_many(
    db: Database, form_id: str, ids: list[str], change: Change, deed: audit.Entry, happening: Happening
) -> Changed:
    """All in one transaction.

    Raises Overtaken when somebody changed one of them at the same moment.
    """

    async def write(session: Session) -> Changed:
        rows = await db.responses.find({"_id": {"$in": ids}}, {"meta": 0}, session=session).to_list()
        mine = [row for row in rows if row["form_id"] == form_id]
        wanted = [_Edit(row, fields, happening) for row in mine if (fields := change(row))]
        if wanted:
            if await _write(db, session, wanted, deed.actor) != len(wanted):
                raise Overtaken("Somebody changed one of these responses at this moment; try again.")
            await audit.record(db, session, deed._replace(details={**deed.details, "changed": len(wanted)}))
        jobs = [job for edit in wanted for job in edit.jobs]
        return Changed(len(wanted), {row["_id"] for row in mine}, jobs)

    return await together(db, write)


class _Edit:
    """One response, what changes, and the events of it."""

    def __init__(self, row: Document, fields: Document, happening: Happening) -> None:
        self.row, self.fields, self.revision = row, fields, row["revision"] + 1
        self.events = event.rows(happening.type, subscribers=happening.subscribers, revision=self.revision)

    @property
    def changes_words(self) -> bool:
        """Nobody is to read any more what was there before."""
        return "data" in self.fields or self.fields.get("status") == "deleted"

    @property
    def jobs(self) -> list[Job]:
        return outbox.jobs_of(self.row | {"events": self.events})

    @property
    def changes_text(self) -> bool:
        """What search by meaning has of it is not right any more: the answers change, or it goes or comes
        back.
        """
        return "data" in self.fields or "deleted" in (self.row["status"], self.fields.get("status"))

    @property
    def outdated(self) -> embedded.Outdated:
        return embedded.Outdated(self.row["_id"], self.row["form_id"], self.revision)


async def _write(db: Database, session: Session, wanted: list[_Edit], actor: str | None) -> int:
    """How many rows were still as they had been read."""
    now = utc_now()
    updates = [_update(edit, now) for edit in wanted]
    done = await db.responses.bulk_write(updates, ordered=False, session=session)
    history = [_before(edit.row, actor, now) for edit in wanted]
    if done.matched_count == len(wanted):
        await db.response_history.insert_many(history, session=session)
        if outdated := [edit.row["_id"] for edit in wanted if edit.changes_words]:
            await ai_results.forget(db, session, wanted[0].row["form_id"], outdated)
        await embedded.outdate(db, session, [edit.outdated for edit in wanted if edit.changes_text])
    return done.matched_count


def _update(edit: _Edit, now: dt.datetime) -> UpdateOne:
    row, fields = edit.row, {**edit.fields, "revision": edit.revision, "updated_at": now}
    if not fields.keys().isdisjoint({"kv", "status"}):
        after = row | fields
        fields["kv"] = terms_with_status(after["kv"], after["status"])
    change: Document = {"$set": fields}
    if edit.events:
        change["$push"] = {"events": {"$each": edit.events}}
    return UpdateOne({"_id": row["_id"], "revision": row["revision"]}, change)


def _before(row: Document, actor: str | None, now: dt.datetime) -> Document:
    return {
        "_id": f"{row['_id']}/{row['revision']}",
        "response_id": row["_id"],
        "form_id": row["form_id"],
        "revision": row["revision"],
        **{name: row[name] for name in _STATE},
        "replaced_at": now,
        "replaced_by": actor,
    }


async def history(db: Database, response_id: str, high: int, limit: int) -> pages.Page:
    """Earlier states up to revision `high`, newest first."""
    query = {"response_id": response_id}
    return await pages.newest_first(db.response_history, query, {}, "revision", pages.Span(1, high), limit)


async def of_event(db: Database, response_id: str, event_id: str) -> tuple[Document, Document] | None:
    """An event that lies in a response, and the response as it was then; None when either is gone."""
    row = await db.responses.find_one({"_id": response_id})
    found = next((each for each in row["events"] if each["id"] == event_id), None) if row else None
    if row is None or found is None:
        return None
    if row["revision"] == found["revision"]:
        return found, row
    before = await db.response_history.find_one({"_id": f"{response_id}/{found['revision']}"})
    return None if before is None else (found, row | {name: before[name] for name in (*_STATE, "revision")})


async def first_data(db: Database, response_id: str) -> Document:
    """The data as it was submitted, of a response that was changed since. Raises NotFound."""
    first = await db.response_history.find_one({"_id": f"{response_id}/1"})
    if first is None:
        raise NotFound("The form has no such response.")
    data: Document = first["data"]
    return data
