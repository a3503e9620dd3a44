"""The rules by which `test_states` drives the engine: who may do what when, more often where it matters."""

from __future__ import annotations

import time

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from appliance.queue.engine import PREFIX
from appliance.queue.routes import QUEUES
from appliance.queue.run import Progress
from appliance.queue.states import Outcome
from tests.queue.steps import TASKS, WORKERS, Steps

ids = st.sampled_from(sorted(TASKS))
queues = st.sampled_from(QUEUES)
workers = st.sampled_from(WORKERS)
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(["completed", "failed", "retrying", "queued"])


class Machine(Steps):
    # -- what callers do

    @initialize(task_ids=st.sets(ids, min_size=3))
    def begin(self, task_ids: set[str]) -> None:
        for task_id in sorted(task_ids):
            self.enqueue(task_id)

    @rule(data=st.data(), more=st.sampled_from([0, 1, 1]), later=st.sampled_from([False, False, True]))
    def send(self, data: st.DataObject, more: int, later: bool) -> None:
        over = [task_id for task_id, task in self.drawing.tasks.items() if task.is_over]
        self.enqueue(data.draw(st.sampled_from([*over, *over, *sorted(TASKS)])), more, later=later)

    @precondition(lambda self: not all(task.is_over for task in self.drawing.tasks.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Whatever its state; now and then one that nobody knows."""
        task_id = data.draw(st.sampled_from([*self._running(), *self._running(), *sorted(TASKS)]))
        self._cancel(task_id)

    @precondition(lambda self: any(self.drawing.lists.values()))
    @rule(queue=queues, most=st.integers(1, 3))
    def purge(self, queue: str, most: int) -> None:
        assert self.storage._scripts["purge"](args=[queue, most]) == self.drawing.purge(queue, most)

    @precondition(lambda self: not self.drawing.paused)
    @rule(queue=queues)
    def pause(self, queue: str) -> None:
        self.drawing.paused.add(queue)
        self.redis.sadd(f"{PREFIX}paused", queue)

    @precondition(lambda self: self.drawing.paused)
    @rule()
    def resume(self) -> None:
        self.redis.srem(f"{PREFIX}paused", self.drawing.paused.pop())

    @precondition(lambda self: self.drawing.unsettled)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        task_id = data.draw(st.sampled_from([*self.drawing.unsettled, *sorted(TASKS)]))
        self.drawing.settle(task_id)
        self.storage._scripts["settled"](args=[task_id, 3_600_000])

    # -- what workers do

    @precondition(lambda self: self.drawing.claimable(QUEUES))
    @rule(worker=workers, order=st.permutations(QUEUES))
    def claim(self, worker: str, order: list[str]) -> None:
        self._claim(worker, order)

    @precondition(lambda self: any(self.drawing.lists.values()))
    @rule(worker=workers, queue=queues)
    def claim_from_one(self, worker: str, queue: str) -> None:
        """Which may be empty, paused, or busy enough."""
        self._claim(worker, [queue])

    @precondition(lambda self: self._running())
    @rule(data=st.data(), order=st.permutations(QUEUES))
    def claim_after_an_answer_was_lost(self, data: st.DataObject, order: list[str]) -> None:
        """Whoever holds something is told of it again; others claim as ever."""
        worker = data.draw(st.sampled_from([*self._holders(), *WORKERS]))
        self.storage._is_unsure = True
        mine = [(claim.id, claim.fence) for claim, holder in self._held() if holder == worker]
        if not mine:
            self._claim(worker, order)
            return
        claim = self.storage.claim(worker, order)
        assert claim and (claim.id, claim.fence) in mine

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), outcome=OUTCOMES, order=st.permutations(QUEUES))
    def turn(self, data: st.DataObject, outcome: Outcome, order: list[str]) -> None:
        """Commit, by the holder or a former one, and claim the next."""
        claim, worker = data.draw(st.sampled_from([*self._held(), *self._held(), *self.claims]))
        verdict = self._verdict(outcome)
        was_ours = self._committed(claim, verdict)
        expected = self.drawing.claimable(order)
        told, following = self.storage.turn(claim, worker, verdict, order)
        assert told is was_ours
        self._claimed(worker, expected, following)

    @precondition(lambda self: self._held())
    @rule(data=st.data(), outcome=st.sampled_from(["completed", "failed", "cancelled"]))
    def finish(self, data: st.DataObject, outcome: Outcome) -> None:
        self._commit(data.draw(st.sampled_from(self._held())), outcome)

    @precondition(lambda self: self._held())
    @rule(data=st.data(), outcome=st.sampled_from(["retrying", "queued"]), counts=st.booleans())
    def let_run_again(self, data: st.DataObject, outcome: Outcome, counts: bool) -> None:
        self._commit(data.draw(st.sampled_from(self._held())), outcome, counts=counts)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), outcome=OUTCOMES)
    def speak_late(self, data: st.DataObject, outcome: Outcome) -> None:
        """A former holder, or one whose commit was answered by nobody."""
        rivals = [each for each in self.claims if each[0].id in self._running()]
        self._commit(data.draw(st.sampled_from([*rivals, *self.claims])), outcome)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), done=st.integers(0, 9))
    def report(self, data: st.DataObject, done: int) -> None:
        """Changes the progress of what is held, and forgives its crashes when it came further than ever."""
        claim, _ = data.draw(st.sampled_from([*self._held(), *self.claims]))
        before = self._row(claim.id)
        self.storage.report(claim, Progress(done, 10, "lines"))
        after = self._row(claim.id)
        task = self.drawing.tasks.get(claim.id)
        is_holder = task is not None and task.state == "running" and task.fence == claim.fence
        changed: dict[str, str] = {}
        if task is not None and is_holder:
            task.has_progress = True
            changed["progress"] = f'[{done},10,"lines"]'
            if task.furthest is None or done > task.furthest:
                changed["furthest"] = f"{done}"
                if task.furthest is not None:
                    changed["crashes"], task.crashes = "0", 0
                task.furthest = done
        assert after == before | changed

    # -- what pools do

    @precondition(lambda self: self._running())
    @rule(living=st.sets(workers))
    def beat(self, living: set[str]) -> None:
        """Tells what they hold, and that somebody wants its end; what has lapsed lives again."""
        expected = {
            (key, task.queue, task.holder, task.is_unwanted)
            for key, task in self.drawing.tasks.items()
            if task.state == "running" and task.holder in living
        }
        for task_id in self._running():  # a minute of every lease passes
            self.redis.zincrby(f"{PREFIX}leases:{self.drawing.tasks[task_id].queue}", -60_000, task_id)
        before = self._leases()
        held = self.storage.beat(sorted(living))
        assert {(each.id, each.queue, each.worker, each.is_cancelled) for each in held} == expected
        after, beaten = self._leases(), {each.id for each in held}
        assert {key for key, score in after.items() if score >= before[key] + 60_000} == beaten
        assert all(after[key] == before[key] for key in after if key not in beaten)

    @precondition(lambda self: self._running())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self._release(data.draw(st.sampled_from([*self._holders(), *self._holders(), *WORKERS])))

    @precondition(lambda self: self.drawing.claimable(QUEUES))
    @rule(worker=workers, is_cancelled=st.sampled_from([False, False, False, True]))
    def claim_and_die(self, worker: str, is_cancelled: bool) -> None:
        """As a task does that takes its workers along, also one that somebody wants to end."""
        self._claim(worker, QUEUES)
        if is_cancelled:
            self._cancel(self.claims[-1][0].id)
        self._release(worker)

    @precondition(lambda self: self.drawing.claimable(QUEUES))
    @rule(outcome=OUTCOMES)
    def speak_while_another_holds_it(self, outcome: Outcome) -> None:
        """What a stopped process does when it goes on."""
        self._claim("one", QUEUES)
        late = self.claims[-1]
        self._release("one")
        if late[0].id in self.drawing.lists[late[0].queue]:
            self._claim("two", [late[0].queue])
        self._commit(late, outcome)

    @rule(lapsed=st.sets(ids), due=st.sets(ids), gap=st.sampled_from([0, 0, 0, 0, 10_000_000, -10_000_000]))
    def reap(self, lapsed: set[str], due: set[str], gap: int) -> None:
        """After leases and waiting times have passed; after a gap without reaping nobody loses a lease."""
        for queue in QUEUES:
            for task_id in lapsed & set(self._leased(queue)):
                self.redis.zadd(f"{PREFIX}leases:{queue}", {task_id: 1})
        for task_id in due:
            self.redis.zadd(f"{PREFIX}due", {task_id: 1}, xx=True)
        self._reaped(gap)
        crashed = [] if gap else [key for queue in QUEUES for key in self._passed(f"leases:{queue}")]
        expected = [(key, self.drawing.tasks[key].holder) for key in crashed]
        waiting = self._passed("due")
        assert self.storage.reap() == expected
        for task_id in crashed:
            self.drawing.crash(task_id)
        for task_id in waiting:
            self.drawing.become_due(task_id)

    @precondition(lambda self: any(self.fences.values()) and not self.went_back)
    @rule()
    def the_clock_goes_back(self) -> None:
        """By two hours, once: the fences of what waits are from the future."""
        self.went_back = True
        for task_id, task in self.drawing.tasks.items():
            if task.state in ("queued", "scheduled", "retrying") and self.fences[task_id]:
                task.fence = None
                self.fences[task_id] = self.redis.hincrby(f"{PREFIX}task:{task_id}", "fence", 7_200_000)

    @precondition(lambda self: self._forgettable())
    @rule(data=st.data())
    def an_hour_passes(self, data: st.DataObject) -> None:
        """`_compare` has seen that what is deleted here would expire."""
        task_id = data.draw(st.sampled_from(self._forgettable()))
        self.redis.delete(f"{PREFIX}task:{task_id}")
        del self.drawing.tasks[task_id]
        self.fences[task_id] = 0
        self.given_out[task_id] = min(
            self.given_out[task_id], int(time.time() * 1000) - 1
        )  # it has caught up
