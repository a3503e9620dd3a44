"""`python -m tests.queue.program SOCKET SIZE LEASE QUEUE…`: a pool whose tasks leave marks in database 1."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import sys
import time
from typing import Any

from redis import Redis

from appliance import logs
from appliance.queue import registry, routes
from appliance.queue.engine import LeasedStorage, open_queue
from appliance.queue.execution import Permanent, Runner
from appliance.queue.pool import Pool
from appliance.queue.routes import Route
from appliance.queue.worker import work

TASKS = {
    "mark": Route("default"),
    "mark_high": Route("high"),
    "mark_batched": Route("batched"),
    "nap": Route("default"),
    "fail": Route("default", retries=1),
    "fail_for_good": Route("default"),
    "block": Route("default"),
    "overrun": Route("default", retries=0, soft=0.5, hard=30),
    "stubborn": Route("default", soft=0.5, hard=2),
    "die": Route("default"),
}
routes.ROUTES |= TASKS
_marks: Redis | None = None


def marks() -> Redis:
    assert _marks is not None
    return _marks


def _begun(task_id: str) -> None:
    marks().rpush(f"begun:{task_id}", f"{os.getpid()}")


async def mark(task_id: str) -> str:
    """The effect happens once a task id, however often it runs."""
    _begun(task_id)
    return _effect(task_id)


def _effect(task_id: str) -> str:
    if marks().hsetnx("effects", task_id, os.getpid()):
        marks().rpush("order", task_id)
    return "marked"


async def nap(task_id: str, seconds: float) -> str:
    _begun(task_id)
    await asyncio.sleep(seconds)
    return _effect(task_id)


async def fail(task_id: str) -> None:
    _begun(task_id)
    raise RuntimeError("it does not work today")


async def fail_for_good(task_id: str) -> None:
    _begun(task_id)
    raise Permanent("it never will")


async def block(task_id: str, seconds: int) -> str:
    """In C, with the GIL held: no thread of this process could beat."""
    _begun(task_id)
    ctypes.PyDLL(None).usleep(seconds * 1_000_000)
    return _effect(task_id)


async def overrun(task_id: str) -> None:
    _begun(task_id)
    await asyncio.sleep(60)


async def stubborn(task_id: str) -> None:
    _begun(task_id)
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.1)  # noqa: ASYNC251 - that is the point


async def die(task_id: str) -> None:
    _begun(task_id)
    os.kill(os.getpid(), 9)


registry.task("mark_high")(mark)
registry.task("mark_batched")(mark)
for function in (mark, nap, fail, fail_for_good, block, overrun, stubborn, die):
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
