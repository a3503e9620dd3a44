"""A pool of worker processes, and the parent that keeps their leases.

Contract: the parent runs no task, so no task can keep it from beating, however long it blocks. A child that
died is replaced, and its task runs again at once; one that dies as it starts is replaced ever more slowly
(`restarts`). A child that the kernel has stopped (state T) is not beaten for, so that its lease ends and
somebody else runs the task; one that is over its hard limit is killed, and one that has to show life itself
and does not (`pulse`). Leases of workers that exist no more, whoever they belonged to, are released; so a
whole tree that was killed costs no more than the time until the next parent looks. The parent shows life all
the while (`show_life`): a long task is never taken for a hung pool.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from types import FrameType

from redis.exceptions import RedisError

from appliance import logs, processes
from appliance.queue.engine import LeasedStorage
from appliance.queue.pulse import STARTING, Pulse
from appliance.queue.restarts import Restarts
from appliance.queue.scripts import Held

BEAT = 1.0
"""Seconds between two beats, well within the lease."""
REAP = 0.5
"""Seconds between two looks for expired leases and for what is due."""
_LOOK = 0.25
"""Seconds that the parent waits for a child to die before it sees to the rest."""
_GRACE = 5.0
"""Seconds that children have to give their tasks back on SIGTERM."""

log = logs.get(__name__)


@dataclass(slots=True)
class _Child:
    slot: int
    process: ForkProcess
    name: str
    started: float


class Pool:
    """`run` returns after SIGINT (what runs is finished) or SIGTERM (it is given back).

    `pulses`, by slot, are of the children that have to beat; the rest block for as long as a task may.
    """

    def __init__(
        self,
        name: str,
        size: int,
        work: Callable[[str], None],
        open_storage: Callable[[], LeasedStorage],
        show_life: Callable[[], None] = lambda: None,
        pulses: Mapping[int, Pulse] | None = None,
    ) -> None:
        self._name = name
        self._size = size
        self._work = work
        self._open_storage = open_storage
        self._show_life = show_life
        self._pulses = pulses or {}
        self._restarts = Restarts()
        self._children: dict[int, _Child] = {}
        self._asked: signal.Signals | None = None
        self._next_beat = self._next_reap = 0.0

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)
        storage = self._open_storage()
        processes.spare_the_collector()  # else each child's first collection copies all pages shared with us
        while self._asked is None:
            self._fill()
            wait([child.process.sentinel for child in self._children.values()], timeout=_LOOK)
            self._tend(storage)
        self._end(storage, self._asked)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = signal.Signals(number)

    # -- children

    def _fill(self) -> None:
        for slot in range(1, self._size + 1):
            if slot not in self._children and self._restarts.may_start(slot):
                self._children[slot] = self._start(slot)

    def _start(self, slot: int) -> _Child:
        parent = os.getpid()
        if slot in self._pulses:
            self._pulses[slot].promise(STARTING)

        def main() -> None:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, signal.SIG_IGN)  # until it has its own handlers
            processes.die_with_parent(signal.SIGKILL, parent)
            self._work(worker_name(self._name, slot))

        process = multiprocessing.get_context("fork").Process(target=main, name=f"{self._name}-{slot}")
        process.start()
        assert process.pid is not None  # noqa: S101 (it was started)
        return _Child(slot, process, worker_name(self._name, slot, process.pid), time.monotonic())

    def _bury(self, storage: LeasedStorage) -> None:
        """Release what dead children held, and forget them."""
        dead = [child for child in self._children.values() if child.process.exitcode is not None]
        if not dead:
            return
        try:
            released = {child.name: storage.release([child.name]) for child in dead}
        except (RedisError, OSError):
            if self._asked is None:
                raise
            released = {}  # whoever reaps next sees that they are gone; ending does not wait for Redis
        for child in dead:
            child.process.join()
            del self._children[child.slot]
            had = released.get(child.name, [])
            wait = self._restarts.died(child.slot, time.monotonic() - child.started, worked=bool(had))
            if child.process.exitcode:
                about = {"worker": child.name, "exit": child.process.exitcode, "released": had}
                log.warning("a worker died", extra=about | {"started_again_in": wait})

    def _kill_silent(self) -> None:
        for slot, pulse in self._pulses.items():
            child = self._children.get(slot)
            if child is not None and child.process.exitcode is None and pulse.is_over:
                log.error("killed: it shows no life", extra={"worker": child.name})
                _send(child.process.pid, signal.SIGKILL)
                pulse.beat()  # the kernel may need a moment

    # -- leases

    def _tend(self, storage: LeasedStorage) -> None:
        self._show_life()  # whether or not Redis is there: its absence is not our end
        now = time.monotonic()
        self._kill_silent()
        try:
            self._bury(storage)
            if now >= self._next_beat:
                self._next_beat = now + BEAT
                self._beat(storage)
            if now >= self._next_reap:
                self._next_reap = now + REAP
                self._reap(storage)
        except (RedisError, OSError) as fault:
            log.warning("leases cannot be kept: Redis is away", extra={"error": str(fault)[:200]})
            time.sleep(BEAT / 2)

    def _beat(self, storage: LeasedStorage) -> None:
        moving = [child for child in self._children.values() if not _is_stopped(child.process.pid)]
        by_name = {child.name: child for child in moving}
        for held in storage.beat(list(by_name)):
            _hold_to_limits(by_name[held.worker], held)

    def _reap(self, storage: LeasedStorage) -> None:
        gone = [owner for owner in storage.owners() if is_gone(owner)]
        if gone and (released := storage.release(gone)):
            log.warning("workers are gone", extra={"workers": gone, "released": released})
        for task_id, owner in storage.reap():
            log.warning("a lease expired", extra={"task_id": task_id, "worker": owner})

    # -- the end

    def _end(self, storage: LeasedStorage, number: signal.Signals) -> None:
        """Pass the wish on, keep the leases while children finish, kill those that do not."""
        log.info("ending", extra={"signal": number.name})
        until = time.monotonic() + _GRACE if number == signal.SIGTERM else float("inf")
        for child in self._children.values():
            _send(child.process.pid, number)
        while self._children:
            if self._asked == signal.SIGTERM and number != signal.SIGTERM:
                self._end(storage, signal.SIGTERM)  # whoever asks again is in a hurry
                break
            if time.monotonic() > until:
                for child in self._children.values():
                    _send(child.process.pid, signal.SIGKILL)
            wait([child.process.sentinel for child in self._children.values()], timeout=_LOOK)
            self._tend(storage)


def worker_name(pool: str, slot: int, pid: int | None = None) -> str:
    """Names a process for good: pool, slot, boot, pid and start time."""
    pid = pid or os.getpid()
    return f"{pool}-{slot}:{_BOOT}:{pid}:{processes.start_time(pid)}"


def is_gone(worker: str) -> bool:
    """The process that the name stands for exists no more; of another machine or boot nothing is known."""
    _, _, rest = worker.partition(":")
    boot, _, process = rest.partition(":")
    pid, _, start = process.partition(":")
    if boot != _BOOT or not pid.isdigit():
        return False
    found = processes.find_stat(int(pid))
    return found is None or found.state == "Z" or str(found.start_time) != start


def _hold_to_limits(child: _Child, held: Held) -> None:
    if held.seconds > held.hard:
        log.error("killed at its hard limit", extra={"task_id": held.id, "worker": child.name})
        _send(child.process.pid, signal.SIGKILL)
    elif held.is_cancelled:
        _send(child.process.pid, signal.SIGUSR1)


def _is_stopped(pid: int | None) -> bool:
    """By SIGSTOP or a debugger: it works on nothing, so somebody else should."""
    found = processes.find_stat(pid) if pid else None
    return found is None or found.state in "Tt"


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


_BOOT = processes.boot_id().partition("-")[0]
