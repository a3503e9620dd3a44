"""The scheduler: what is done from time to time, by one process.

- every second: life is shown to the guardian, and what runs at set times is promised when its time comes;
- every minute: what the clock says is noted, so that a leap of it is noticed (`clock_leaps`);
- every 2 s: how tasks ended that did not complete is settled; those that failed for good become dead letters;
- every second: the lake is brought up to date when that is due or asked for;
- every 5 s the relay: what is pending for longer than 10 s is sent again, unless Redis knows it;
- every 10 s: what we depend on is looked at, for Prometheus (`watch`);
- every second: what nginx answered itself is counted (`nginx_answers`);
- every 5 s: a queue that was paused stays so in a Redis that was emptied;
- every 2 s: what search by meaning does not have yet is sent to be embedded (`embedding_chore`);
- every 5 s: a backup is made, or the newest is tried out, when it is time (`backups`);
- every 30 s: Alertmanager is told what is wrong inside, and every 10 s the inbox of alerts is made to say
  what that knows (`alert_chores`);
- every 10 s: reservations of writers that died midway are settled;
- every 10 s: what purged responses have left outside of the database is taken away;
- every 10 s: a certificate of ACME is renewed when it is due;
- every 5 s: what follows when a key was replaced (`key_rotation`), or the admin's password.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import pymongo
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from appliance import logs, processes, secret_ages
from appliance.addresses import Paths
from appliance.clock import Clock, utc_now
from appliance.metrics import counts
from appliance.own_alerts import AGAIN
from appliance.services import (
    admin_password,
    clock_leaps,
    key_rotation,
    lake_runs,
    purging,
    queues,
    task_endings,
)
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores import reservations
from appliance.tasks import alert_chores
from appliance.tasks.backups import Backups
from appliance.tasks.certificate_chore import Certificates
from appliance.tasks.cron import Cron
from appliance.tasks.embedding_chore import Embedding
from appliance.tasks.exporter import exporting
from appliance.tasks.nginx_answers import NginxAnswers
from appliance.tasks.relay import Relay
from appliance.tasks.watch import Watch

log = logs.get(__name__)


class Chore(NamedTuple):
    name: str
    every: float
    """Seconds from one end to the next start; more when the work itself took long."""
    work: Callable[[Context, Clock], Awaitable[int]]
    seconds: float | None = 30.0
    """That the database has for it; None where each question has its own."""


async def settle(context: Context, now: Clock) -> int:
    """Give back the places of writers that died midway; how many reservations."""
    settled = await reservations.settle_abandoned(context.db, now())
    counts.add("invariants_mended", "reservations", by=settled)
    return settled


async def bury(context: Context, now: Clock) -> int:
    """Settle the tasks that failed for good or were cancelled; how many."""
    return await task_endings.settle(context)


async def pause(context: Context, now: Clock) -> int:
    """Hold the engine to the pauses that the database knows; how many queues it held otherwise."""
    return await queues.apply_pauses(context)


async def rotate(context: Context, now: Clock) -> int:
    """Finish what the replacement of a key began, and note when it was; how much was done."""
    secret_ages.note(Paths(context.settings.data))
    ended = await admin_password.settle(context, patience=admin_password.PATIENCE)
    return ended + await key_rotation.settle(context, now)


async def show_life(context: Context, now: Clock) -> int:
    """Tell the guardian that this loop turns."""
    processes.beat(Paths(context.settings.data).beat("scheduler"))
    return 0


async def look_at_clock(context: Context, now: Clock) -> int:
    """Note what the clock says, so that a leap of it is noticed."""
    CLOCK.look(Paths(context.settings.data), now())
    return 0


async def tidy(context: Context, now: Clock) -> int:
    """After purges whose process died; of how many responses."""
    return await purging.tidy(context)


WATCH, RELAY, ANSWERS, CLOCK = Watch(), Relay(), NginxAnswers(), clock_leaps.Watch()
CHORES = (
    Chore("life", 1.0, show_life),
    Chore("clock", 60.0, look_at_clock),
    Chore("cron", 1.0, Cron()),
    Chore("relay", 5.0, RELAY),
    Chore("lake", 1.0, lake_runs.Doing(), seconds=None),
    Chore("backup", 5.0, Backups(), seconds=None),
    Chore("watch", 10.0, WATCH),
    Chore("answers", 1.0, ANSWERS),
    Chore("bury", 2.0, bury),
    Chore("pause", 5.0, pause),
    Chore("embed", 2.0, Embedding()),
    Chore("settle", 10.0, settle),
    Chore("tidy", 10.0, tidy),
    Chore("certificate", 10.0, Certificates(), seconds=None),
    Chore("rotate", 5.0, rotate),
    Chore("tell", AGAIN, alert_chores.Tell()),
    Chore("inbox", 10.0, alert_chores.Settle(), seconds=None),
)


def run(asked: Settings) -> None:
    """Until SIGTERM or SIGINT."""
    asyncio.run(_run(asked))


async def _run(asked: Settings) -> None:
    counts.keep_in(Paths(asked.data).counts, "scheduler")
    with exporting(asked, (WATCH, RELAY, ANSWERS)):
        await _work(asked)


async def _work(asked: Settings) -> None:
    context = open_context(asked)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    processes.spare_the_collector()
    chores = [asyncio.create_task(_repeat(context, chore), name=chore.name) for chore in CHORES]
    await stopped.wait()
    for chore in chores:
        chore.cancel()
    await asyncio.gather(*chores, return_exceptions=True)
    await context.close()


async def _repeat(context: Context, chore: Chore) -> None:
    """No failure ends a chore: it tries again at its next turn."""
    while True:
        started = time.monotonic()
        try:
            with pymongo.timeout(chore.seconds):
                done = await chore.work(context, utc_now)
            counts.add("chore_done", chore.name, by=done)
            if done:
                log.info(chore.name, extra={"done": done})
        except (PyMongoError, RedisError, OSError) as fault:
            counts.add("chore_failures", chore.name)
            log.warning("cannot work now", extra={"chore": chore.name, "error": str(fault)[:200]})
        except Exception:
            counts.add("chore_failures", chore.name)
            log.exception("failed", extra={"chore": chore.name})
        await asyncio.sleep(max(chore.every, time.monotonic() - started))
