"""Which task goes where: the one table. `docs/tasks.md` lists it, and a test compares."""

from __future__ import annotations

from typing import NamedTuple

QUEUES = ("high", "default", "batched")
WEIGHTS = {"high": 3, "default": 2, "batched": 1}
"""How often a worker that serves several queues looks at each of them first."""
AT_ONCE = {"batched": 1}
"""Tasks of a queue that run at the same time at most; a queue that is not named takes any number."""


class Route(NamedTuple):
    queue: str
    retries: int = 3
    soft: float = 300.0
    """Seconds after which SoftTimeout is raised in the task, again each second."""
    hard: float = 330.0
    """Seconds after which its process is killed."""


ROUTES: dict[str, Route] = {
    "analyze": Route("batched", retries=3, soft=300, hard=330),
    "chat": Route("batched", retries=0, soft=300, hard=330),
    "deliver_webhook": Route("default", retries=10, soft=30, hard=45),
    "embed": Route("batched", retries=0, soft=300, hard=330),
    "embed_responses": Route("batched", retries=3, soft=300, hard=330),
    "erase_subject": Route("default", retries=3, soft=3600, hard=3660),
    "export_responses": Route("default", retries=3, soft=3600, hard=3660),
    "find_subject": Route("default", retries=3, soft=3600, hard=3660),
    "import_responses": Route("default", retries=3, soft=3600, hard=3660),
    "notify_watchers": Route("default", retries=10, soft=60, hard=90),
    "prune": Route("default"),
    "prune_exports": Route("default"),
    "prune_uploads": Route("default"),
    "purge": Route("default"),
    "redeliver_webhook": Route("default", retries=3, soft=30, hard=45),
    "run_analytics": Route("default", soft=60, hard=90),
    "send_receipt": Route("default", retries=10, soft=60, hard=90),
}
