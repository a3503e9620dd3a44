"""All that the engine has in Redis at one moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES


class Picture(NamedTuple):
    queued: dict[str, list[str]]
    """Ids by queue, the next one first."""
    leased: dict[str, list[str]]
    due: list[str]
    rows: dict[str, dict[str, str]]
    expiries: dict[str, int]
    """Seconds until a row is forgotten; negative for never."""
    counts: dict[str, int]
    unsettled: list[str]
    indexed: set[str]

    def places(self, task_id: str) -> list[str]:
        """Where its id is, each time that it is there."""
        queued = [f"list:{queue}" for queue, ids in self.queued.items() for each in ids if each == task_id]
        leased = [f"leases:{queue}" for queue, ids in self.leased.items() if task_id in ids]
        return [*queued, *leased, *(["due"] if task_id in self.due else [])]


def take(redis: Any, task_ids: Iterable[str]) -> Picture:
    with redis.pipeline(transaction=True) as pipe:
        for queue in QUEUES:
            pipe.lrange(f"{PREFIX}list:{queue}", 0, -1)
            pipe.zrange(f"{PREFIX}leases:{queue}", 0, -1)
        pipe.zrange(f"{PREFIX}due", 0, -1).hgetall(f"{PREFIX}counts").lrange(f"{PREFIX}unsettled", 0, -1)
        pipe.zrange(f"{PREFIX}index", 0, -1)
        for task_id in task_ids:
            pipe.hgetall(f"{PREFIX}task:{task_id}").ttl(f"{PREFIX}task:{task_id}")
        found = iter(pipe.execute())
    queued, leased = {}, {}
    for queue in QUEUES:
        queued[queue], leased[queue] = next(found)[::-1], next(found)
    due, counts, unsettled, indexed = next(found), next(found), next(found), set(next(found))
    pairs = {task_id: (next(found), next(found)) for task_id in task_ids}
    return Picture(
        queued, leased, due,
        {task_id: row for task_id, (row, _) in pairs.items()},
        {task_id: seconds for task_id, (_, seconds) in pairs.items()},
        {name: int(number) for name, number in counts.items()},
        unsettled, indexed,
    )  # fmt: skip
