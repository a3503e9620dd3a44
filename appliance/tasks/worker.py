"""The pools `worker-high`, `worker-default` and `worker-ai`: the queues they serve, what their
processes start with.
"""

from __future__ import annotations

from pymongo.errors import PyMongoError

from appliance import processes
from appliance.addresses import Paths
from appliance.errors import Unavailable
from appliance.metrics import counts
from appliance.queue.engine import LeasedStorage, connect, open_queue
from appliance.queue.pool import Pool
from appliance.queue.pulse import Pulse
from appliance.queue.worker import work
from appliance.settings import Settings
from appliance.stores import mongo
from appliance.tasks import (
    ai,
    analyses,
    analytics,
    embedding,
    erasures,
    exports,
    imports,
    notices,
    process,
    pruning,
    purging,
    searcher,
    webhooks,
)

QUEUES_OF = {"worker-high": ("high",), "worker-default": ("high", "default"), "worker-ai": ("batched",)}

TASK_MODULES = (
    ai, analyses, analytics, embedding, erasures, exports, imports, notices, pruning, purging, webhooks,
)  # fmt: skip
"""Importing them registers their tasks."""


def consume(name: str, asked: Settings, count: int) -> None:
    """`count` processes, for models one. Run until SIGINT (finishes what runs) or SIGTERM (gives it back)."""

    pulse = Pulse()
    pulses = {count + 1: pulse} if name == "worker-high" else {}

    def open_storage() -> LeasedStorage:
        return open_queue(connect(asked)).storage

    def main(worker: str) -> None:
        if name == "worker-high" and worker.startswith(f"{name}-{count + 1}:"):
            searcher.serve(asked, pulse)
            return  # it was asked to end, not to take tasks
        counts.keep_in(Paths(asked.data).counts, worker.partition(":")[0])
        rest = ai.prepare(asked) if name == "worker-ai" else _rest
        work(worker, QUEUES_OF[name], open_storage, lambda: process.start(asked), _is_outage, rest)

    path = Paths(asked.data).beat(name)
    Pool(name, _size(name, count), main, open_storage, lambda: processes.beat(path), pulses).run()


def _size(name: str, count: int) -> int:
    if name == "worker-ai":
        return 1  # there, the number is that of a model's threads
    return count + 1 if name == "worker-high" else count  # the last one answers searches by meaning


def _rest() -> None: ...


def _is_outage(fault: BaseException) -> bool:
    """The database was away, or full."""
    problem = mongo.as_problem(fault) if isinstance(fault, PyMongoError) else fault
    return isinstance(problem, Unavailable)
