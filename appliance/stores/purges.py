"""Taking responses out for good: with their history, what models found, what is about to be told of them, and
the places that they took. Nothing of their content is left in the database.

Contract of `purge`: all of a piece or none, in one transaction, so whatever is killed leaves no response half
there; the same again does what is left. Counters follow exactly: a deleted response takes its place under
`max_responses`, quotas and `one_per_person` until now. Their files are let go in the same step, and removed
by `prune_uploads`; vectors are wiped by `embed_responses`; the lake, and Redis, learn of it from `purged`.

A link for one answer is not freed by it: it is withdrawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from pymongo import UpdateOne

from appliance.clock import utc_now
from appliance.stores import ai_results, audit, embedded, files, partials, purged, quotas
from appliance.stores.mongo import Database, Document
from appliance.stores.transactions import Session, together

PIECE: Final = 100
"""Responses of one transaction: some 200 ms of the embedded database, whose `$in` is slow beyond."""
_OF_PARTIAL: Final = partials.submit_key("")
_OF_LINK: Final = "link:"

Because = Literal["retention", "deleted", "form", "erasure"]


class Why(NamedTuple):
    """What the audit log says of a purge."""

    because: Because
    actor: str | None = None
    erasure_id: str | None = None


class Purged(NamedTuple):
    gone: int
    put_off: int
    """Whose reservation is not settled: in half a minute they can be."""


def _any(row: Document) -> bool:
    return True


async def purge(
    db: Database, form_id: str, ids: Sequence[str], why: Why, is_due: Callable[[Document], bool] = _any
) -> Purged:
    """Those of the form, PIECE at most, that are due as they are at that moment."""
    await _end_partials(db, ids)
    return await together(db, lambda session: _purge(db, session, form_id, ids, why, is_due))


async def _end_partials(db: Database, ids: Sequence[str]) -> None:
    """That a half-filled response was submitted is known by the response; where its row does not say so yet,
    it would be open again.
    """
    shown = {"key": 1, "created_at": 1}
    for row in await db.responses.find({"_id": {"$in": list(ids)}}, shown).to_list():
        if (key := row.get("key", "")).startswith(_OF_PARTIAL):
            await partials.finish(db, key.removeprefix(_OF_PARTIAL), row["_id"], row["created_at"])


async def _purge(
    db: Database,
    session: Session,
    form_id: str,
    wanted: Sequence[str],
    why: Why,
    is_due: Callable[[Document], bool],
) -> Purged:
    # First: submissions write the counters all the time, and from here on they wait for us.
    await db.form_counters.update_one({"_id": form_id}, {"$inc": {"moves": 1}}, session=session)
    counters = await db.form_counters.find_one({"_id": form_id}, session=session) or {}
    found = await db.responses.find({"_id": {"$in": list(wanted)}}, session=session).to_list()
    due = [row for row in found if row["form_id"] == form_id and is_due(row)]
    rows = [row for row in due if not _is_reserved(row["seq"], counters)]
    if rows:
        await _give_back(db, session, form_id, counters, rows)
        await _take_out(db, session, form_id, rows, thorough=why.because == "erasure")
        details: Document = {"responses": len(rows), "because": why.because}
        if why.erasure_id is not None:
            details["erasure_id"] = why.erasure_id
        await audit.record(db, session, audit.Entry(why.actor, "responses.purged", form_id, details))
    return Purged(len(rows), len(due) - len(rows))


def _is_reserved(seq: int, counters: Document) -> bool:
    """Whoever settles its reservation counts what is missing as never written, and would give the place back
    once more.
    """
    return any(entry["upto"] - entry["n"] < seq <= entry["upto"] for entry in counters.get("open", ()))


async def _give_back(
    db: Database, session: Session, form_id: str, counters: Document, rows: Sequence[Document]
) -> None:
    """Their places."""
    known = counters.get("counts", {})
    held = Counter(name for row in rows for name in {quotas.quota_id(term) for term in row["kv"]})
    steps = {f"counts.{name}": -held[name] for name in known if held[name]}
    change = {"$inc": {"taken": -len(rows), **steps}}
    await db.form_counters.update_one({"_id": form_id}, change, session=session)


async def _take_out(
    db: Database, session: Session, form_id: str, rows: Sequence[Document], *, thorough: bool
) -> None:
    ids = [row["_id"] for row in rows]
    tasks = {row["_id"]: _tasks(row) for row in rows}
    await db.responses.delete_many({"_id": {"$in": ids}}, session=session)
    await db.response_history.delete_many({"response_id": {"$in": ids}}, session=session)
    await ai_results.forget(db, session, form_id, ids)
    if thorough:  # what names topics is made of everybody's words
        await db.ai_results.delete_one({"_id": ai_results.form_row(form_id)}, session=session)
    await forget_told(db, ids, [one for each in tasks.values() for one in each], session)
    await files.let_go(db, session, ids, [one for row in rows for one in row.get("files", ())])
    if await embedded.find_file(db, session) is not None:
        outdated = [embedded.Outdated(row["_id"], form_id, row["revision"] + 1) for row in rows]
        await embedded.outdate(db, session, outdated)
    now = utc_now()
    links = [
        UpdateOne(
            {"_id": row["person"].removeprefix(_OF_LINK), "withdrawn_at": None},
            {"$set": {"withdrawn_at": now}},
        )
        for row in rows
        if row.get("person", "").startswith(_OF_LINK)
    ]
    if links:
        await db.links.bulk_write(links, ordered=False, session=session)
    await purged.note(db, session, rows, tasks, now)


def _tasks(row: Document) -> list[str]:
    known = [*row.get("task_ids", ()), *(event["id"] for event in row["events"])]
    return list(dict.fromkeys(known))


async def forget_told(
    db: Database, ids: Sequence[str], tasks: Sequence[str], session: Session | None = None
) -> None:
    """Deliveries that hold these responses, and letters of their tasks, which hold addresses."""
    await db.webhook_deliveries.delete_many({"about": {"$in": list(ids)}}, session=session)
    for first in range(0, len(tasks), PIECE):
        some = list(tasks[first : first + PIECE])
        await db.dead_letters.delete_many({"_id": {"$in": some}}, session=session)
