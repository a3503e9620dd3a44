"""The consumers: `worker-high` and `worker-default`, stock Huey, one queue each.

Stock Huey forgets a task whose worker dies; the outbox relay sends it again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal

from huey.consumer import Consumer

from appliance import processes
from appliance.queue.engine import open_queue
from appliance.queue.registry import use_runner
from appliance.settings import Settings
from appliance.tasks import process, summaries

QUEUE_OF = {"worker-high": "high", "worker-default": "default"}
PROCESSES = 4

TASK_MODULES = (summaries,)
"""Importing them registers their tasks."""


def consume(name: str, asked: Settings) -> None:
    """Run until SIGINT (finishes what runs) or SIGTERM."""
    huey = open_queue(asked, QUEUE_OF[name])
    use_runner(process.run)
    parent = os.getpid()

    def start() -> None:
        if multiprocessing.parent_process() is not None:
            processes.die_with_parent(signal.SIGKILL, parent)
        process.start(asked)

    huey.on_startup()(start)
    Consumer(huey, workers=PROCESSES, worker_type="process", periodic=False, max_delay=1.0).run()
