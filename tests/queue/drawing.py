"""The drawing in `appliance/queue/states.py` as a few lines of Python: what the engine must agree with.

Written from the drawing and its text, not from the Lua. It knows nothing of time: what is due or has lapsed
is told to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

CRASHES = 3
AT_ONCE = {"batched": 1}
WAITING = ("queued", "scheduled", "retrying")


@dataclass
class Task:
    queue: str
    replay: int
    state: str = ""
    attempts: int = 0
    retries: int = 0
    crashes: int = 0
    furthest: int | None = None
    errors: int = 0
    holder: str | None = None
    fence: int | None = None
    """Of the attempt that may still speak; None when nobody may."""
    has_committed: bool = False
    has_progress: bool = False
    """Told by the present attempt, or by the last one."""
    is_unwanted: bool = False
    """Somebody asked for its end while it ran."""
    is_settled: bool = False

    @property
    def is_over(self) -> bool:
        return self.state in ("completed", "failed", "cancelled")

    @property
    def is_forgettable(self) -> bool:
        """An hour from its end, or from the time when the database knew of it."""
        return self.state == "completed" or (self.is_over and self.is_settled)


@dataclass
class Drawing:
    tasks: dict[str, Task] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=lambda: {"high": [], "default": [], "batched": []})
    """Queued ids, the next one first."""
    paused: set[str] = field(default_factory=set)
    unsettled: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def running(self, queue: str) -> list[str]:
        return [key for key, task in self.tasks.items() if task.queue == queue and task.state == "running"]

    def enqueue(self, task_id: str, queue: str, replay: int, *, later: bool) -> bool:
        known = self.tasks.get(task_id)
        if known and not (known.state in ("failed", "cancelled") and replay > known.replay):
            return False
        task = self.tasks[task_id] = Task(queue, replay)
        self._count("enqueued", task)
        if later:
            task.state = "scheduled"
        else:
            self._put(task_id)
        return True

    def claimable(self, order: Sequence[str]) -> str | None:
        for queue in order:
            has_room = queue not in AT_ONCE or len(self.running(queue)) < AT_ONCE[queue]
            if queue not in self.paused and has_room and self.lists[queue]:
                return self.lists[queue][0]
        return None

    def claim(self, task_id: str, worker: str, fence: int) -> None:
        task = self.tasks[task_id]
        self.lists[task.queue].remove(task_id)
        task.state, task.holder, task.fence, task.has_committed = "running", worker, fence, False
        task.attempts += 1
        task.has_progress = False
        self._count("started", task)

    def commit(self, task_id: str, fence: int, outcome: str, *, error: bool, counts: bool) -> bool:
        task = self.tasks.get(task_id)
        if task is None or task.fence != fence:
            return False
        if task.has_committed:
            return True
        task.has_committed, task.holder = True, None
        if outcome == "queued" and not task.is_unwanted:
            task.attempts -= 1
            self._count("given_back", task)
            self._put(task_id, first=True)
            return True
        task.errors += error
        if outcome == "retrying" and not task.is_unwanted:
            task.state = "retrying"
            task.retries += counts
            self._count("retried", task)
            return True
        self._end(task_id, "cancelled" if outcome in ("queued", "retrying") else outcome)
        return True

    def crash(self, task_id: str) -> None:
        task = self.tasks[task_id]
        task.holder = task.fence = None
        task.crashes += 1
        task.errors += 1
        self._count("crashed", task)
        if task.is_unwanted:
            self._end(task_id, "cancelled")
        elif task.crashes > CRASHES:
            self._end(task_id, "failed")
        elif task.crashes == 1:
            self._put(task_id, first=True)
        else:
            task.state = "retrying"

    def become_due(self, task_id: str) -> None:
        self._put(task_id)

    def cancel(self, task_id: str) -> str | None:
        task = self.tasks.get(task_id)
        if task is None:
            return None
        if task.state in WAITING:
            self._end(task_id, "cancelled")
        elif task.state == "running":
            task.is_unwanted = True
        return task.state

    def purge(self, queue: str, most: int) -> int:
        taken = self.lists[queue][:most]
        for task_id in taken:
            self._end(task_id, "cancelled")
        return len(taken)

    def settle(self, task_id: str) -> None:
        task = self.tasks.get(task_id)
        if task_id in self.unsettled:
            self.unsettled.remove(task_id)
        if task and task.state in ("failed", "cancelled"):
            task.is_settled = True

    def _put(self, task_id: str, *, first: bool = False) -> None:
        task = self.tasks[task_id]
        task.state = "queued"
        self.lists[task.queue].insert(0 if first else len(self.lists[task.queue]), task_id)

    def _end(self, task_id: str, state: str) -> None:
        task = self.tasks[task_id]
        if task_id in self.lists[task.queue]:
            self.lists[task.queue].remove(task_id)
        task.state = state
        self._count(state, task)
        if state != "completed":
            self.unsettled.append(task_id)

    def _count(self, what: str, task: Task) -> None:
        self.counts[f"{what}:{task.queue}"] += 1
