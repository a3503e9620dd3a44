"""Erasing what was found of a person.

Contract: what is to go stands in a file beside the database before any of it goes (`erasure_records`), each
step may be done again, and the erasure is `erased` when all is gone that the appliance can reach at once:
from the database, Redis and downloads. The files of answers go with the next prunings, vectors with the next
embedding, the lake with the run that is asked for here. The account goes first: where it must stay, nothing
goes.
"""

from __future__ import annotations

from huey.exceptions import RetryTask
from redis.exceptions import RedisError

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import Conflict
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import (
    admin_password,
    deadlines,
    erasure_finding,
    erasure_partials,
    erasure_records,
    purging,
)
from appliance.services.accounts import ADMIN
from appliance.services.context import Context
from appliance.stores import erasures, lake_runs, partials, users, webhooks
from appliance.stores.mongo import Document
from appliance.stores.purges import Why

_DUE = ("erasing", "failed")
_SETTLED = 10.0
"""Seconds until a response that was just submitted may be purged, perhaps."""
_TURN = 2.0
_REDIS_AWAY = 5.0


async def work(context: Context, run: Run, erasure_id: str) -> dict[str, int]:
    """Raises RetryTask while somebody is in the way."""
    row = await erasures.find(context.db, erasure_id)
    if row is None or not (row["state"] == "erased" or (row["state"] in _DUE and "finds" in row)):
        raise Permanent("there is nothing to erase")
    if row["state"] != "erased":
        row = await _with_partials(context, row)
        folder = Paths(context.settings.data).erasures
        erasure_records.write(folder, erasure_records.record(row))
        if row["account"]:
            try:
                await _erase_account(context, row["user_id"], row["confirmed_by"])
            except Conflict as refusal:  # since it was confirmed, the other admins went
                erasure_records.remove(folder, erasure_id)
                await erasures.fail(context.db, erasure_id, erasures.ERASE, refusal.detail)
                raise Permanent(refusal.detail) from None
        await _erase(context, run, row)
        await erasures.end(context.db, erasure_id, utc_now())
        await lake_runs.ask(context.db, f"erasure:{erasure_id}", utc_now())
    return {"responses": sum(each["responses"] for each in row["found"]), "forms": len(row["found"])}


async def _with_partials(context: Context, row: Document) -> Document:
    """With what half-filled ones have become since, and what these responses were before."""
    finds = await erasure_partials.followed(context.db, row["finds"])
    if finds == row["finds"]:
        return row
    found = erasure_finding.counts(finds)
    await erasures.note_finds(context.db, row["_id"], finds, found)
    return {**row, "finds": finds, "found": found}


async def _erase(context: Context, run: Run, row: Document) -> None:
    finds, why = row["finds"], Why("erasure", row["confirmed_by"], row["_id"])
    for each in finds.values():
        for partial_id in each["partials"]:
            await partials.end(context.db, partial_id, "withdrawn", utc_now())
    if await erasure_partials.followed(context.db, finds) != finds:
        raise RetryTask(delay=0)  # one was submitted just before: the record is to name its response first
    total = sum(len(each["responses"]) for each in finds.values())
    done = put_off = 0
    for form_id, each in finds.items():
        put_off += (await purging.purge(context, form_id, each["responses"], why)).put_off
        done += len(each["responses"])
        run.progress(done, total, "responses")
    if put_off:
        raise RetryTask(delay=_SETTLED)
    purged_at = await erasures.note_purged(context.db, row["_id"], utc_now())
    for form_id in finds:
        if not await purging.forget_exports(context, form_id, purged_at):
            raise RetryTask(delay=_TURN)
    try:
        await purging.tidy(context)
        if not await purging.rewrite_redis(context):
            raise RetryTask(delay=_TURN)
    except (RedisError, OSError):
        raise RetryTask(delay=_REDIS_AWAY) from None


async def _erase_account(context: Context, user_id: str, actor: str | None) -> None:
    """Raises Conflict for the last active admin."""
    async with context.generations.changing(users.key(user_id), webhooks.GENERATION):
        await deadlines.start(users.erase(context.db, user_id, actor))
    if await users.find_by_name(context.db, ADMIN) is None:
        admin_password.forget(context)
