"""Subscriptions to events: `{_id, number, owner, form_id, url, events, secret, previous_secret,
previous_until, by_admin, status, disabled_reason, rev, created_at, updated_at}`.

`by_admin` tells whether whoever made or changed it last did so as an admin, not by a key of less.

Secrets are sealed for the row's id. Each user also has one row that no list shows (`default:` and the
user's id, number 0, no url, no events): its secret signs what goes to the `webhook_url` of a request.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from pymongo.errors import DuplicateKeyError

from appliance.clock import utc_now
from appliance.domain.access import Caller, Level, level
from appliance.errors import Conflict
from appliance.stores import audit, pages
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Overtaken, Session, changed, last_number, next_number

GENERATION = "webhooks"
"""The name of all subscriptions together among the generations."""
MOST_OF_OWNER = 50
MOST_OF_FORM = 20
_NUMBER = "webhooks"


def default_id(user_id: str) -> str:
    return f"default:{user_id}"


async def find(db: Database, webhook_id: str, session: Session | None = None) -> Document | None:
    return await db.webhooks.find_one({"_id": webhook_id}, session=session)


async def insert(db: Database, session: Session, fields: Document, actor: str) -> Document:
    """The row as stored. Raises Conflict when its owner or its form has as many as there may be."""
    await _check_room(db, session, fields)
    number = await next_number(db, session, _NUMBER)
    row = {**_new(fields), "number": number}
    await db.webhooks.insert_one(row, session=session)
    details = {"form_id": row["form_id"], "events": row["events"]}
    await audit.record(db, session, audit.Entry(actor, "webhook.created", row["_id"], details))
    return row


async def _check_room(db: Database, session: Session, fields: Document) -> None:
    shown = {"owner": 1, "number": 1, "by_admin": 1}
    rows = await db.webhooks.find({"owner": fields["owner"]}, shown, session=session).to_list()
    if sum(row["number"] > 0 for row in rows) >= MOST_OF_OWNER:
        raise _too_many("You have", MOST_OF_OWNER)
    form = await db.forms.find_one({"_id": fields["form_id"]}, {"owner": 1, "shares": 1}, session=session)
    if form is None:
        return
    rows = await db.webhooks.find({"form_id": form["_id"]}, shown, session=session).to_list()
    # Who has lost the form hears no more of it, and must not be in the way of those who have it.
    people = await owners(db, rows, session)
    if sum(level(owner, form) >= Level.VIEW for owner in people.values()) >= MOST_OF_FORM:
        raise _too_many("The form has", MOST_OF_FORM)


def _too_many(whose: str, most: int) -> Conflict:
    return Conflict(f"{whose} {most} webhooks, and no more may be made; delete one first.")


async def ensure_default(db: Database, session: Session | None, user_id: str, secret: bytes) -> Document:
    """The user's row for `webhook_url`, made with this sealed secret if there is none."""
    webhook_id = default_id(user_id)
    found = await find(db, webhook_id, session)
    if found is not None:
        return found
    fields: Document = {"_id": webhook_id, "owner": user_id, "form_id": None, "url": None, "events": []}
    row = {**_new({**fields, "secret": secret}), "number": 0}
    try:
        await db.webhooks.insert_one(row, session=session)
    except DuplicateKeyError:
        if session is not None:
            raise  # the whole transaction is done again, or not at all
        return await db.webhooks.find_one({"_id": webhook_id}) or row
    return row


def _new(fields: Document) -> Document:
    now = utc_now()
    return {
        **fields,
        "previous_secret": None,
        "previous_until": None,
        "status": "active",
        "disabled_reason": None,
        "rev": 1,
        "created_at": now,
        "updated_at": now,
    }


async def change(
    db: Database, session: Session, row: Document, fields: Document, deed: audit.Entry
) -> Document:
    """Write `fields` over the row as it was read. Raises Overtaken when it was changed since."""
    query = {"_id": row["_id"], "rev": row["rev"]}
    change = {"$set": {**fields, "rev": row["rev"] + 1, "updated_at": utc_now()}}
    done = await changed(db.webhooks, query, change, session)
    if done is None:
        raise Overtaken("The webhook was changed since you read it; read it again.")
    await audit.record(db, session, deed)
    return done


GONE = "its receiver answered 410"
"""How the reason begins when a receiver wants no more."""


async def disable(db: Database, webhook_id: str, reason: str) -> None:
    """Because of what its receiver answered. Safe to repeat."""
    await db.webhooks.update_one(
        {"_id": webhook_id, "status": "active"},
        {
            "$set": {"status": "disabled", "disabled_reason": reason, "updated_at": utc_now()},
            "$inc": {"rev": 1},
        },
    )


async def delete(db: Database, session: Session, row: Document, deed: audit.Entry) -> None:
    """Raises Overtaken when it was changed since it was read."""
    gone = await db.webhooks.delete_one({"_id": row["_id"], "rev": row["rev"]}, session=session)
    if gone.deleted_count != 1:
        raise Overtaken("The webhook was changed since you read it; read it again.")
    await audit.record(db, session, deed)


async def newest(db: Database, owner: str, high: int | None, limit: int) -> pages.Page:
    """A page of one owner's."""
    if high is None:
        high = await last_number(db, _NUMBER)
    span = pages.Span(1, high)
    return await pages.newest_first(db.webhooks, {"owner": owner}, {}, "number", span, limit)


async def subscriptions(db: Database) -> list[Document]:
    """All that are active and want events, without their secrets."""
    fields = {"owner": 1, "form_id": 1, "events": 1, "number": 1, "by_admin": 1}
    rows = await db.webhooks.find({"status": "active"}, fields).to_list()
    return [row for row in rows if row["events"]]


async def owners(
    db: Database, webhooks: Iterable[Document], session: Session | None = None
) -> dict[str, Caller]:
    """By webhook: its owner, as far as the account is active, and an admin only if the webhook is one's."""
    rows = list(webhooks)
    query = {"_id": {"$in": sorted({row["owner"] for row in rows})}}
    users = await db.users.find(query, {"username": 1, "roles": 1, "status": 1}, session=session).to_list()
    active = {user["_id"]: user for user in users if user["status"] == "active"}
    return {row["_id"]: _owner(active[row["owner"]], row) for row in rows if row["owner"] in active}


def _owner(user: Document, webhook: Document) -> Caller:
    roles = frozenset(user["roles"])
    if "admin" in roles and not webhook.get("by_admin", False):
        roles = (roles - {"admin"}) | {"editor"}  # to keys without that scope, an admin is an editor
    return Caller(user["_id"], user["username"], roles)


def rotated(row: Document, secret: bytes, keep: dt.timedelta) -> Document:
    """The fields of a row whose secret is replaced: the old one signs too for a while."""
    return {"secret": secret, "previous_secret": row["secret"], "previous_until": utc_now() + keep}


SEALED = ("secret", "previous_secret")
"""The fields that hold a sealed secret."""


async def sealed(db: Database) -> list[Document]:
    """All rows, default ones too, with their sealed secrets."""
    return await db.webhooks.find({}, dict.fromkeys(SEALED, 1)).to_list()


async def replace_sealed(db: Database, webhook_id: str, name: str, before: bytes, after: bytes) -> int:
    """The same secret, sealed anew; 0 where it was changed since. It is no change that anybody sees."""
    done = await db.webhooks.update_one({"_id": webhook_id, name: before}, {"$set": {name: after}})
    return done.modified_count


async def count_unwanted(db: Database) -> int:
    """How many are disabled because their receivers said so."""
    return await db.webhooks.count_documents(
        {"status": "disabled", "disabled_reason": {"$regex": f"^{GONE}"}}
    )
