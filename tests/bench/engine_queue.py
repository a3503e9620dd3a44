"""The engine on the tasks of the peers: `python -m tests.bench.engine_queue worker|fill|starts|stall`."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable
from typing import Any

from redis import Redis

from appliance import logs
from appliance.queue import registry, routes
from appliance.queue.engine import LeasedStorage, open_queue
from appliance.queue.execution import Runner
from appliance.queue.pool import Pool
from appliance.queue.routes import Route
from appliance.queue.run import Run
from appliance.queue.scripts import Job
from appliance.queue.worker import work
from tests.bench.peers import queue_work

QUEUES = ("high", "default")


def _register(function: Callable[..., None]) -> None:
    async def task(run: Run, of: list[Any]) -> None:
        function(*of)

    routes.ROUTES[function.__name__] = Route("default", retries=0)
    registry.task(function.__name__)(task)


def open_storage() -> LeasedStorage:
    return open_queue(Redis(unix_socket_path=queue_work.SOCKET)).storage


def start() -> Runner:
    return asyncio.new_event_loop().run_until_complete


def main() -> None:
    for function in (queue_work.noop, queue_work.mark, queue_work.start, queue_work.stall):
        _register(function)
    if sys.argv[1] == "worker":
        logs.configure("info")
        Pool(
            "bench",
            1,
            lambda name: work(name, QUEUES, open_storage, start, lambda fault: False),
            open_storage,
        ).run()
    else:
        storage = open_storage()
        queue_work.drive(lambda name, *of: storage.send(Job(str(uuid.uuid4()), name, {"of": list(of)})))


if __name__ == "__main__":
    main()
