"""Purging responses, many pieces long, and what lies outside of the database after each.

Contract: a piece is gone from every answer of the API when it returns, and what it has left elsewhere is
known (`stores.purged`) and taken away by `tidy`, here or, after a kill, by the scheduler.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import Callable, Sequence

import msgspec
from redis.exceptions import RedisError, ResponseError

from appliance import disk, logs
from appliance.addresses import Paths
from appliance.queue import scripts
from appliance.services import deadlines
from appliance.services.context import Context
from appliance.services.form_states import responses_key
from appliance.stores import exports, purged, purges
from appliance.stores.mongo import Document
from appliance.stores.purges import Purged, Why

_UNTIDY = 200
_LONGEST_REST = 1.0
"""Seconds; as long as a piece took, the form's submissions could not be written."""
_ANSWERS = "analytics:*"
_PAGES = "cache:responses:*"
"""As `bodies` has them, for a minute."""

log = logs.get(__name__)


async def purge(
    context: Context,
    form_id: str,
    ids: Sequence[str],
    why: Why,
    is_due: Callable[[Document], bool] = lambda row: True,
) -> Purged:
    """Those of the form that are due, in pieces. The same again does what is left. Raises PyMongoError."""
    gone = put_off = 0
    async with context.generations.changing(responses_key(form_id)):
        for first in range(0, len(ids), purges.PIECE):
            piece, begun = ids[first : first + purges.PIECE], time.monotonic()
            done = await deadlines.start(purges.purge(context.db, form_id, piece, why, is_due))
            gone, put_off = gone + done.gone, put_off + done.put_off
            await asyncio.sleep(min(time.monotonic() - begun, _LONGEST_REST))  # for submissions that waited
    return Purged(gone, put_off)


async def tidy(context: Context) -> int:
    """Away with what purged responses have left in Redis, and with deliveries that were opened beside their
    purge; of how many. Raises RedisError, PyMongoError; then it is done again.
    """
    done, forms = 0, set[str]()
    while traces := await purged.untidy(context.db, _UNTIDY):
        tasks = [(trace, task_id) for trace in traces for task_id in trace["tasks"]]
        await _blank(context, tasks)
        ids = [trace["_id"] for trace in traces]
        for first in range(0, len(ids), purges.PIECE):
            await purges.forget_told(context.db, ids[first : first + purges.PIECE], [])
        await purges.forget_told(context.db, [], [task_id for _, task_id in tasks])
        await purged.tidied(context.db, ids)
        done, forms = done + len(traces), forms | {trace["form_id"] for trace in traces}
    if done:
        await _forget_answers(context, forms)
    return done


async def _blank(context: Context, tasks: Sequence[tuple[Document, str]]) -> None:
    """A receipt's address is among its arguments. Whoever runs one of these tasks finds no response."""
    blank = scripts.script(context.redis, "blank")
    async with context.redis.pipeline(transaction=False) as pipe:
        for trace, task_id in tasks:
            arguments = {"form_id": trace["form_id"], "response_id": trace["_id"], "to": ""}
            await blank(args=[task_id, msgspec.json.encode(arguments)], client=pipe)
        await pipe.execute()


async def _forget_answers(context: Context, forms: set[str]) -> None:
    """Numbers of analytics that were made of them too, and pages of responses. Nobody is given them any more;
    they would lie there until their time is over.
    """
    async for key in context.redis.scan_iter(_ANSWERS, count=1000):
        await context.redis.delete(key)
    async for key in context.redis.scan_iter(_PAGES, count=1000):
        if key.decode().split(":")[2] in forms:
            await context.redis.delete(key)


async def forget_exports(context: Context, form_id: str, purged_at: dt.datetime) -> bool:
    """Away with all downloads of a form, and reports of its imports: they hold what was purged. Those that
    were begun after that do not. False while one is being made, of this or another form: then again soon.
    """
    folder = Paths(context.settings.data).exports
    with disk.only_one(folder) as alone:
        if not alone:
            return False
        exports.sweep_drafts(folder)
        for row in await exports.of_form(context.db, form_id, purged_at):
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread((folder / row["_id"]).unlink)
            await exports.remove(context.db, row["_id"])
    return True


async def rewrite_redis(context: Context) -> bool:
    """Have the log of the embedded Redis written anew, which else holds for long what was taken out. False
    while it is being written already: that may have begun before. Raises RedisError, OSError.
    """
    if context.settings.redis_uri is not None:
        return True  # another's, who sees to it
    told = await context.redis.info("persistence")
    if told["aof_rewrite_in_progress"]:
        return False
    try:
        await context.redis.bgrewriteaof()
    except ResponseError as fault:  # no memory for it, say; `doctor` tells, and it is shortened when it grew
        log.warning("the log of Redis is not written anew", extra={"error": str(fault)[:200]})
    return True


async def tidy_up(context: Context) -> int:
    """The same as `tidy`, for those who need not know that Redis is away: the scheduler comes back to it."""
    with contextlib.suppress(RedisError, OSError):
        return await tidy(context)
    return 0
