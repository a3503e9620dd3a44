"""`python -m tests.faults.queue_program SOCKET SIZE LEASE QUEUE…`: a pool with effects in MongoDB."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from typing import Any

import pymongo
from pymongo.errors import DuplicateKeyError, PyMongoError
from redis import Redis

from appliance import addresses, logs
from appliance.queue import registry, routes
from appliance.queue.engine import LeasedStorage, open_queue
from appliance.queue.execution import Runner
from appliance.queue.pool import Pool
from appliance.queue.routes import Route
from appliance.queue.run import Run
from appliance.queue.scripts import Job
from appliance.queue.worker import work

TASK = "effect"
routes.ROUTES[TASK] = Route("default")
_database: Any = None


@registry.task(TASK)
async def effect(run: Run) -> str:
    """Once a task id, however often it runs. Each run leaves its trace before and after."""
    trace = _database.runs.insert_one({"task": run.id, "pid": os.getpid()}).inserted_id
    time.sleep(random.random() * 0.01)  # noqa: ASYNC251 - killed anywhere, in C as well
    try:
        _database.effects.insert_one({"_id": run.id})
    except DuplicateKeyError:
        _database.runs.update_one({"_id": trace}, {"$set": {"was_done": True}})
    return "done"


def job(task_id: str) -> Job:
    return Job(task_id, TASK, {})


def main(socket: str, size: str, lease: str, *queues: str) -> None:
    logs.configure("info")

    def open_storage() -> LeasedStorage:
        return open_queue(Redis(unix_socket_path=socket, socket_timeout=5), lease=float(lease)).storage

    def start() -> Runner:
        global _database
        _database = pymongo.MongoClient(os.environ["KILLS_MONGO"], journal=True)[addresses.DATABASE]
        return asyncio.new_event_loop().run_until_complete

    def main(name: str) -> None:
        work(name, queues, open_storage, start, lambda fault: isinstance(fault, PyMongoError))

    Pool(f"kills-{os.getpid()}", int(size), main, open_storage).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
