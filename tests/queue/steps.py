"""Single steps, done by the real scripts and by the drawing alike, and the comparison of the two.

Time passes by rewriting the scores of leases and of what waits, as the tests of the engine do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis.stateful import RuleBasedStateMachine, invariant

from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES
from appliance.queue.scripts import Claim, Job
from appliance.queue.states import Outcome, Verdict
from tests.queue import picture
from tests.queue.conftest import Engine
from tests.queue.drawing import Drawing
from tests.queue.picture import Picture

TASKS = {"a": "mark", "b": "mark_high", "c": "mark_batched", "d": "mark_batched", "e": "mark_batched"}
QUEUE_OF = {"mark": "default", "mark_high": "high", "mark_batched": "batched"}
WORKERS = ("one", "two", "three")
FAR = 4_000_000_000.0
"""A time, in Unix seconds, that comes only when a rule says so."""


class Steps(RuleBasedStateMachine):
    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.redis, self.storage = engine.redis, engine.storage
        self.storage.lease = 3600.0  # none lapses by itself
        self.redis.flushdb()
        self.drawing = Drawing()
        self.claims: list[tuple[Claim, str]] = []
        self.fences = dict.fromkeys(TASKS, 0)
        self.went_back = False
        self.given_out = dict.fromkeys(TASKS, 0)
        self._reaped(0)

    def _reaped(self, ago_ms: int) -> None:
        seconds, micros = self.redis.time()
        self.redis.set(f"{PREFIX}reaped", seconds * 1000 + micros // 1000 - ago_ms)

    def enqueue(self, task_id: str, more: int = 0, *, later: bool = False) -> None:
        """Anew, or under its last replay number, or a higher one."""
        task, known = TASKS[task_id], self.drawing.tasks.get(task_id)
        replay = known.replay + more if known else 0
        job = Job(task_id, task, {}, due=FAR if later else 0, replay=replay)
        made = self.drawing.enqueue(task_id, QUEUE_OF[task], replay, later=later)
        assert self.storage.send(job) is made

    def _cancel(self, task_id: str) -> None:
        answer = self.storage._scripts["cancel"](args=[task_id])
        assert (answer and answer.decode()) == self.drawing.cancel(task_id)

    def _claim(self, worker: str, order: Sequence[str]) -> None:
        expected = self.drawing.claimable(order)
        self._claimed(worker, expected, self.storage.claim(worker, order))

    def _claimed(self, worker: str, expected: str | None, claim: Claim | None) -> None:
        assert (claim and claim.id) == expected
        if claim is None:
            return
        assert claim.fence > max(self.given_out[claim.id], self.fences[claim.id]), (
            "even if Redis knew nothing of the task meanwhile"
        )
        self.given_out[claim.id] = claim.fence
        self.drawing.claim(claim.id, worker, claim.fence)
        task = self.drawing.tasks[claim.id]
        assert (claim.attempts, claim.retries, claim.queue) == (task.attempts, task.retries, task.queue)
        self.claims.append((claim, worker))

    def _commit(self, held: tuple[Claim, str], outcome: Outcome, *, counts: bool = True) -> None:
        claim, worker = held
        verdict = self._verdict(outcome, counts=counts)
        expected = self._committed(claim, verdict)
        assert self.storage.commit(claim, worker, verdict) is expected

    def _verdict(self, outcome: Outcome, *, counts: bool = True) -> Verdict:
        error = "" if outcome in ("completed", "queued") else "it broke"
        return Verdict(outcome, error=error, due=FAR, counts=counts)

    def _committed(self, claim: Claim, verdict: Verdict) -> bool:
        return self.drawing.commit(
            claim.id, claim.fence, verdict.outcome, error=bool(verdict.error), counts=verdict.counts
        )

    def _release(self, dead: str) -> None:
        expected = [
            key for queue in QUEUES for key in self._leased(queue) if self.drawing.tasks[key].holder == dead
        ]
        assert self.storage.release([dead]) == expected
        for task_id in expected:
            self.drawing.crash(task_id)

    def _running(self) -> list[str]:
        return [task_id for queue in QUEUES for task_id in self.drawing.running(queue)]

    def _held(self) -> list[tuple[Claim, str]]:
        """What may be committed."""
        tasks = self.drawing.tasks
        return [
            each for each in self.claims
            if each[0].id in self._running() and each[0].fence == tasks[each[0].id].fence
        ]  # fmt: skip

    def _holders(self) -> list[str]:
        return sorted({task.holder for task in self.drawing.tasks.values() if task.holder})

    def _forgettable(self) -> list[str]:
        return [task_id for task_id, task in sorted(self.drawing.tasks.items()) if task.is_forgettable]

    def _row(self, task_id: str) -> dict[str, str]:
        return dict(self.redis.hgetall(f"{PREFIX}task:{task_id}"))

    def _leased(self, queue: str) -> list[str]:
        return list(self.redis.zrange(f"{PREFIX}leases:{queue}", 0, -1))

    def _leases(self) -> dict[str, float]:
        """When they end, by id."""
        return {
            task_id: end
            for queue in QUEUES
            for task_id, end in self.redis.zrange(f"{PREFIX}leases:{queue}", 0, -1, withscores=True)
        }

    def _passed(self, key: str) -> list[str]:
        return list(self.redis.zrangebyscore(f"{PREFIX}{key}", "-inf", 1))

    # -- what always holds

    @invariant()
    def the_engine_is_as_drawn(self) -> None:
        seen = picture.take(self.redis, TASKS)
        assert seen.queued == self.drawing.lists, "in the order of their turns"
        assert {task_id: seen.places(task_id) for task_id in TASKS} == {
            task_id: self._place(task_id) for task_id in TASKS
        }
        assert len(seen.leased["batched"]) <= 1
        assert seen.counts == self.drawing.counts
        assert seen.unsettled == self.drawing.unsettled
        assert seen.indexed >= set(self.drawing.tasks)
        for task_id in TASKS:
            self._compare(task_id, seen)

    def _place(self, task_id: str) -> list[str]:
        task = self.drawing.tasks.get(task_id)
        if task is None or task.is_over:
            return []
        where = {"queued": f"list:{task.queue}", "running": f"leases:{task.queue}"}
        return [where.get(task.state, "due")]

    def _compare(self, task_id: str, seen: Picture) -> None:
        row, task = seen.rows[task_id], self.drawing.tasks.get(task_id)
        assert bool(row) == (task is not None)
        if task is None:
            return
        numbers = {name: int(row[name]) for name in ("replay", "attempts", "retries", "crashes")}
        assert (row["state"], numbers) == (task.state, {name: getattr(task, name) for name in numbers})
        assert len(json.loads(row.get("history", "[]"))) == task.errors
        assert ("progress" in row) == task.has_progress
        assert task.state != "running" or row["worker"] == task.holder
        assert int(row["fence"]) >= self.fences[task_id], "fences only rise"
        self.fences[task_id] = int(row["fence"])
        assert (seen.expiries[task_id] > 0) == task.is_forgettable
