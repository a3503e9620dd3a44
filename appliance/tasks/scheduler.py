"""The scheduler: what is done from time to time, by one process.

- every 2 s: tasks that failed for good become dead letters;
- every 5 s the relay: events that are pending for longer than 10 s are sent again, unless Redis knows them;
- every 10 s: reservations of writers that died midway are settled.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pymongo
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import logs
from appliance.clock import Clock, utc_now
from appliance.queue.scripts import Job
from appliance.services import dead_letters
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores import outbox, response_writer

STALE = dt.timedelta(seconds=10)
"""Age from which on a pending event is sent again."""
_BATCH = 500

log = logs.get(__name__)


class Chore(NamedTuple):
    name: str
    every: float
    """Seconds from one end to the next start."""
    work: Callable[[Context, Clock], Awaitable[int]]


async def relay(context: Context, now: Clock) -> int:
    """Send what is pending for too long; how many tasks Redis did not know."""
    found = await outbox.pending(context.db, now() - STALE, _BATCH)
    jobs = [
        Job(
            row.event["id"],
            row.event["task"],
            {"form_id": row.form_id, "response_id": row.response_id, "to": row.event["to"]},
        )
        for row in found
    ]
    return await context.sender.send(jobs) if jobs else 0


async def settle(context: Context, now: Clock) -> int:
    """Give back the places of writers that died midway; how many reservations."""
    return await response_writer.settle_abandoned(context.db, now())


async def bury(context: Context, now: Clock) -> int:
    """Write dead letters of the tasks that failed for good; how many."""
    return await dead_letters.bury(context)


CHORES = (Chore("relay", 5.0, relay), Chore("bury", 2.0, bury), Chore("settle", 10.0, settle))


def run(asked: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    asyncio.run(_run(asked))


async def _run(asked: Settings) -> None:
    context = open_context(asked)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    chores = [asyncio.create_task(_repeat(context, chore), name=chore.name) for chore in CHORES]
    await stopped.wait()
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    await context.close()


async def _repeat(context: Context, chore: Chore) -> None:
    """No failure ends a chore: it tries again at its next turn."""
    while True:
        try:
            with pymongo.timeout(30):
                done = await chore.work(context, utc_now)
            if done:
                log.info(chore.name, extra={"done": done})
        except (PyMongoError, RedisError, OSError) as fault:
            log.warning("cannot work now", extra={"chore": chore.name, "error": str(fault)[:200]})
        except Exception:
            log.exception("failed", extra={"chore": chore.name})
        await asyncio.sleep(chore.every)
