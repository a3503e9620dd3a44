"""Erasing what was found of a person.

Contract: what is to go stands in a file beside the database before any of it goes (`erasure_records`), each
step may be done again, and the erasure is `erased` when all is gone that the appliance can reach at once:
from the database, Redis and downloads. The files of answers go with the next prunings, vectors with the next
embedding, the lake with the run that is asked for here.
"""

from __future__ import annotations

from huey.exceptions import RetryTask
from redis.exceptions import RedisError

from appliance.addresses import Paths
from appliance.clock import utc_now
from appliance.errors import Conflict
from appliance.queue.execution import Permanent
from appliance.queue.run import Run
from appliance.services import deadlines, erasure_records, purging
from appliance.services.context import Context
from appliance.stores import erasures, lake_runs, partials, users, webhooks
from appliance.stores.mongo import Document
from appliance.stores.purges import Why

_SETTLED = 10.0
"""Seconds until a response that was just submitted may be purged, perhaps."""
_TURN = 2.0
_REDIS_AWAY = 5.0


async def work(context: Context, run: Run, erasure_id: str) -> dict[str, int]:
    """Raises RetryTask while somebody is in the way."""
    row = await erasures.find(context.db, erasure_id)
    if row is None or row["state"] not in ("erasing", "erased"):
        raise Permanent("there is nothing to erase")
    if row["state"] == "erasing":
        erasure_records.write(Paths(context.settings.data).erasures, erasure_records.record(row))
        await _erase(context, run, row)
        await erasures.end(context.db, erasure_id, utc_now())
        await lake_runs.ask(context.db, f"erasure:{erasure_id}", utc_now())
    return {"responses": sum(each["responses"] for each in row["found"]), "forms": len(row["found"])}


async def _erase(context: Context, run: Run, row: Document) -> None:
    finds, why = row.get("finds", {}), Why("erasure", row["confirmed_by"], row["_id"])
    total = sum(len(each["responses"]) for each in finds.values())
    done = put_off = 0
    for form_id, each in finds.items():
        put_off += (await purging.purge(context, form_id, each["responses"], why)).put_off
        for partial_id in each["partials"]:
            await partials.end(context.db, partial_id, "withdrawn", utc_now())
        done += len(each["responses"])
        run.progress(done, total, "responses")
    if row["account"]:
        await erase_account(context, row["user_id"], row["confirmed_by"])
    if put_off:
        raise RetryTask(delay=_SETTLED)
    for form_id in finds:
        if not await purging.forget_exports(context, form_id):
            raise RetryTask(delay=_TURN)
    try:
        await purging.tidy(context)
    except (RedisError, OSError):
        raise RetryTask(delay=_REDIS_AWAY) from None


async def erase_account(context: Context, user_id: str, actor: str | None) -> None:
    """Raises Permanent for the last active admin."""
    async with context.generations.changing(users.key(user_id), webhooks.GENERATION):
        try:
            await deadlines.start(users.erase(context.db, user_id, actor))
        except Conflict as refusal:
            raise Permanent(refusal.detail) from None
