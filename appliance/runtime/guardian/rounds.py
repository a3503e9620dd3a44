"""Asks each program, again and again, in a thread of its own: a slow answer keeps no other one waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import NamedTuple

from appliance import logs
from appliance.runtime.guardian import probes
from appliance.runtime.guardian.health import EVERY
from appliance.runtime.guardian.probes import Probe
from appliance.settings import Settings

log = logs.get(__name__)


class Answer(NamedTuple):
    program: str
    pid: int
    answers: bool | None


class Rounds:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._probes: dict[str, Probe] = {}
        """Each for one process: what the one before it did says nothing of the next."""
        self._last: dict[str, tuple[int, float]] = {}
        self._asked: set[str] = set()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()

    def ask(self, program: str, pid: int, now: float, *, every: float = EVERY) -> None:
        """Unless it is not time yet, or the last answer is still waited for."""
        asked, at = self._last.get(program, (0, 0.0))
        if program in self._asked or (asked == pid and now < at + every):
            return
        if asked != pid:
            self._begin(program)
        self._last[program] = pid, now
        self._asked.add(program)
        threading.Thread(target=self._ask, args=(program, pid), name=program, daemon=True).start()

    @property
    def is_answered(self) -> bool:
        return len(self._asked) == self._answers.qsize()

    def answers(self) -> Iterator[Answer]:
        """What came in since."""
        while not self._answers.empty():
            answer = self._answers.get()
            self._asked.discard(answer.program)
            yield answer

    def _begin(self, program: str) -> None:
        before = self._probes.get(program)
        if isinstance(before, probes.Mongo):
            before.close()
        self._probes[program] = probes.of_program(program, self._settings)

    def _ask(self, program: str, pid: int) -> None:
        answers: bool | None = None
        try:
            if probes.is_stopped(pid):
                answers = False
            elif not probes.is_launching(pid):
                answers = self._probes[program]()
        except Exception:  # of our own making: nothing follows from it
            log.exception("cannot ask", extra={"about": program})
        self._answers.put(Answer(program, pid, answers))
