"""Changes of stored responses: each keeps the state before it, in `response_history`, in one transaction.

A response has a `revision`, 1 when it was submitted. A history row is the state as it was: `{response_id,
form_id, revision, data, status, tags, updated_at, replaced_at, replaced_by}`. Places under a response limit
are not touched: a deleted response counts until it is purged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from pymongo import UpdateOne

from appliance.clock import utc_now
from appliance.domain import event
from appliance.errors import NotFound, Stale
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.responses import terms_with_status
from appliance.stores.transactions import Session, together

_STATE = ("data", "status", "tags", "updated_at")

Change = Callable[[Document], Document]
"""From a stored response to the fields that change; empty when none does."""


async def change(
    db: Database, row: Document, fields: Document, deed: audit.Entry, event_type: str
) -> Document:
    """Write `fields` over the response as it was read. Raises Stale when it was changed since."""

    async def write(session: Session) -> None:
        if await _write(db, session, [(row, fields)], deed.actor, event_type) != 1:
            raise Stale("The response was changed since you read it; read it again.")
        await audit.record(db, session, deed)

    await together(db, write)
    changed = await db.responses.find_one({"_id": row["_id"]})
    if changed is None:
        raise NotFound("The form has no such response.")
    return changed


async def change_many(
    db: Database, form_id: str, ids: list[str], change: Change, deed: audit.Entry, event_type: str
) -> tuple[int, set[str]]:
    """How many were changed, and which of `ids` the form has. All in one transaction.

    Raises Stale when somebody changed one of them at the same moment.
    """

    async def write(session: Session) -> tuple[int, set[str]]:
        rows = await db.responses.find({"_id": {"$in": ids}}, {"meta": 0}, session=session).to_list()
        mine = [row for row in rows if row["form_id"] == form_id]
        wanted = [(row, fields) for row in mine if (fields := change(row))]
        if wanted:
            if await _write(db, session, wanted, deed.actor, event_type) != len(wanted):
                raise Stale("Somebody changed one of these responses at this moment; try again.")
            await audit.record(db, session, deed._replace(details={**deed.details, "changed": len(wanted)}))
        return len(wanted), {row["_id"] for row in mine}

    return await together(db, write)


async def _write(
    db: Database,
    session: Session,
    wanted: list[tuple[Document, Document]],
    actor: str | None,
    event_type: str,
) -> int:
    """How many rows were still as they had been read."""
    now = utc_now()
    updates = [_update(row, fields, event_type, now) for row, fields in wanted]
    done = await db.responses.bulk_write(updates, ordered=False, session=session)
    history = [_before(row, actor, now) for row, _ in wanted]
    if done.matched_count == len(wanted):
        await db.response_history.insert_many(history, session=session)
    return done.matched_count


def _update(row: Document, fields: Document, event_type: str, now: dt.datetime) -> UpdateOne:
    fields = {**fields, "revision": row["revision"] + 1, "updated_at": now}
    if not fields.keys().isdisjoint({"kv", "status"}):
        after = row | fields
        fields["kv"] = terms_with_status(after["kv"], after["status"])
    change: Document = {"$set": fields}
    if events := event.rows(event_type):
        change["$push"] = {"events": {"$each": events}}
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


async def first_data(db: Database, response_id: str) -> Document:
    """The data as it was submitted, of a response that was changed since. Raises NotFound."""
    first = await db.response_history.find_one({"_id": f"{response_id}/1"})
    if first is None:
        raise NotFound("The form has no such response.")
    data: Document = first["data"]
    return data
