"""`python -m tests.queue.program SOCKET SIZE LEASE QUEUE…`: a pool whose tasks leave marks in database 1."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import os
import sys
import time
from typing import Any

from huey.exceptions import RetryTask
from redis import Redis

from appliance import logs
from appliance.queue import registry, routes
from appliance.queue.engine import LeasedStorage, open_queue
from appliance.queue.execution import Permanent, Runner
from appliance.queue.pool import Pool
from appliance.queue.routes import Route
from appliance.queue.run import Run
from appliance.queue.worker import work

TASKS = {
    "mark": Route("default"),
    "mark_high": Route("high"),
    "mark_batched": Route("batched"),
    "nap": Route("default"),
    "fail": Route("default", retries=1),
    "stumble": Route("default"),
    "fail_for_good": Route("default"),
    "later": Route("default", retries=0),
    "block": Route("default"),
    "overrun": Route("default", retries=0, soft=0.5, hard=30),
    "stubborn": Route("default", soft=0.5, hard=2),
    "die": Route("default"),
    "march": Route("default"),
    "alone": Route("batched"),
    "chatter": Route("default", retries=0, soft=0.5, hard=30),
    "give": Route("default"),
    "give_no_json": Route("default"),
}
routes.ROUTES |= TASKS
_marks: Redis | None = None


def marks() -> Redis:
    assert _marks is not None
    return _marks


def _begun(run: Run) -> None:
    marks().rpush(f"begun:{run.id}", f"{os.getpid()}")


async def mark(run: Run) -> str:
    """The effect happens once a task id, however often it runs."""
    _begun(run)
    return _effect(run)


def _effect(run: Run) -> str:
    if marks().hsetnx("effects", run.id, os.getpid()):
        marks().rpush("order", run.id)
    return "marked"


async def nap(run: Run, seconds: float) -> str:
    _begun(run)
    await asyncio.sleep(seconds)
    return _effect(run)


async def fail(run: Run) -> None:
    _begun(run)
    raise RuntimeError("it does not work today")


async def stumble(run: Run) -> None:
    _begun(run)
    raise KeyError("a bug, or a row that is not there yet")


async def fail_for_good(run: Run) -> None:
    _begun(run)
    raise Permanent("it never will")


async def later(run: Run, times: int) -> str:
    """Wishes so often to be run again."""
    _begun(run)
    if marks().llen(f"begun:{run.id}") <= times:
        raise RetryTask(delay=0.1)
    return _effect(run)


async def block(run: Run, seconds: int) -> str:
    """In C, with the GIL held: no thread of this process could beat."""
    _begun(run)
    ctypes.PyDLL(None).usleep(seconds * 1_000_000)
    return _effect(run)


async def overrun(run: Run) -> None:
    _begun(run)
    await asyncio.sleep(60)


async def stubborn(run: Run) -> None:
    _begun(run)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.1)  # noqa: ASYNC251 - that is the point


async def die(run: Run) -> None:
    _begun(run)
    os.kill(os.getpid(), 9)


async def march(run: Run) -> int:
    """Comes one step further each time, and dies of it; at the eighth it is done."""
    _begun(run)
    step = int(marks().incr(f"steps:{run.id}"))
    run.progress(step, 8, "steps")
    if step < 8:
        os.kill(os.getpid(), 9)
    return step


async def alone(run: Run) -> None:
    """Leaves how many of its kind ran at the time."""
    marks().rpush("at once", marks().incr("running"))
    await asyncio.sleep(0.02)
    marks().decr("running")
    _begun(run)


async def chatter(run: Run) -> None:
    """Is nearly always in the middle of a report."""
    _begun(run)
    for number in itertools.count():
        run._next_report = 0
        run.progress(number, unit="reports")


async def give(run: Run, size: int) -> str:
    _begun(run)
    return "x" * size


async def give_no_json(run: Run) -> object:
    _begun(run)
    return object()


registry.task("mark_high")(mark)
registry.task("mark_batched")(mark)
TOLD = (
    mark, nap, fail, stumble, fail_for_good, later, block, overrun, stubborn, die, march, alone, chatter,
    give, give_no_json,
)  # fmt: skip
for function in TOLD:
    registry.task(function.__name__)(function)


def main(socket: str, size: str, lease: str, *queues: str) -> None:
    logs.configure("info")

    def open_storage() -> LeasedStorage:
        return open_queue(Redis(unix_socket_path=socket), lease=float(lease)).storage

    def start() -> Runner:
        global _marks
        _marks = Redis(unix_socket_path=socket, db=1, decode_responses=True)
        runner = asyncio.Runner()
        return lambda coroutine: runner.run(_await(coroutine))

    async def _await(coroutine: Any) -> Any:
        return await coroutine

    def main(name: str) -> None:
        work(name, queues, open_storage, start, lambda fault: isinstance(fault, ConnectionError))

    Pool(f"test-{os.getpid()}", int(size), main, open_storage).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
