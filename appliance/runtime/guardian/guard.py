"""The guardian's loop: look at all programs, do what the policy says, ask whether they answer, tell.

Contract: killed at any line and started again, it goes on where it was. Decisions are on disk before they are
acted on, events only say that a look is worth it, and supervisord itself knows what runs. Nothing here waits
for longer than some seconds; a guardian that does ends itself by an alarm, and supervisord starts another.
Each turn touches its beat: by that the parent (`watch`) and the operator's commands know that it looks.
"""

from __future__ import annotations

import os
import signal
import time
import xmlrpc.client
from collections.abc import Callable
from types import FrameType

from appliance import courses, logs, processes
from appliance.addresses import GUARDIAN, Paths
from appliance.courses import Course, Phase
from appliance.disk import RESERVE_BYTES, free_bytes
from appliance.runtime import programs
from appliance.runtime.guardian import alerts, policy, probes, raising, supervision
from appliance.runtime.guardian.health import EVERY, Care, Health
from appliance.runtime.guardian.listener import Event, Listener
from appliance.runtime.guardian.policy import ENDED, HEALTHY_SECONDS, Deed, Seen
from appliance.runtime.guardian.probes import CARES
from appliance.runtime.guardian.rounds import Answer, Rounds
from appliance.runtime.guardian.supervision import Row, Supervision
from appliance.settings import Settings

LOOK_SECONDS = 5.0
TURN_SECONDS = 1.0
ALARM_SECONDS = 60
OUT_OF_MEMORY = "out of memory"

OomKills = Callable[[str], int | None]
"""How many processes of a program the kernel has killed for want of memory; None when nobody counts."""

log = logs.get(__name__)


class Guard:
    def __init__(self, settings: Settings, oom_kills: OomKills) -> None:
        self.paths, self._settings, self._oom_kills = Paths(settings.data), settings, oom_kills
        self._book = courses.open_book(self.paths)
        self._supervision = Supervision(self.paths)
        self._rounds = Rounds(settings)
        self._teller = alerts.Teller(self.paths)
        self._raiser = raising.Raiser(settings)
        self._running: dict[str, Row] = {}
        self._health: dict[str, Health] = {}
        self._written, self._is_kept = b"", True
        self._next_look = 0.0

    def run(self) -> None:
        """Until supervisord is gone or asks us to end."""
        signal.signal(signal.SIGTERM, self._end)
        self._save()
        listener = Listener()
        while True:
            signal.alarm(ALARM_SECONDS)
            processes.beat(self.paths.beat(GUARDIAN))
            try:
                for event in listener.wait(TURN_SECONDS):
                    self._hear(event)
            except EOFError:
                return
            self.turn(time.monotonic())

    def turn(self, now: float) -> None:
        for answer in self._rounds.answers():
            self._judge(answer, now)
        if now >= self._next_look or any(self._is_due(course, now) for course in self._book.courses.values()):
            self.look(now)
        for name, row in self._running.items():
            # `status` tells that it has not answered yet: no longer than that is so.
            is_new = probes.may_be_asked_often(name) and not self._book.course(name).has_answered
            every = TURN_SECONDS if is_new else EVERY
            self._rounds.ask(name, row.seen.pid, now, every=every)
        if self._settings.mongodb_uri or "mongo" in self._running:
            self._teller.turn(now)
        self._raiser.turn(now, self._book)

    @property
    def is_answered(self) -> bool:
        """Nothing is waited for, or the next turn will hear it."""
        return self._rounds.is_answered

    def _hear(self, event: Event) -> None:
        log.debug("heard", extra={"event": event.name})
        self._next_look = 0.0

    # -- what the policy says

    def look(self, now: float) -> None:
        """At all programs, and do what follows."""
        self._next_look = now + LOOK_SECONDS
        try:
            rows = self._supervision.rows()
        except supervision.FAULTS as fault:
            log.debug("supervisord does not answer", extra={"error": str(fault)})
            return
        guarded = {name: row for name, row in rows.items() if self._is_guarded(name)}
        self._running = {name: row for name, row in guarded.items() if row.seen.state == "RUNNING"}
        for name, row in guarded.items():
            self._see(name, row, now)

    def _see(self, name: str, row: Row, now: float) -> None:
        course = self._book.course(name)
        if row.seen.state in ENDED and self._supervision.is_left(name, row.seen):
            policy.leave(course, row.seen._replace(why=self._why(name, course, row.seen)), now)
            self._save()
            return
        if course.phase == Phase.WAITING and row.seen.state in ENDED and not self._has_room():
            return  # it could not even write its pid: an attempt would only be lost
        deed = policy.look(course, row.seen._replace(why=self._why(name, course, row.seen)), now)
        self._save()
        if deed == Deed.START:
            self._start(name, row, now)
        elif deed == Deed.TELL:
            self._tell(name, course)

    def _start(self, name: str, row: Row, now: float) -> None:
        course = self._book.course(name)
        about = {"about": name, "why": course.why, "attempt": course.attempts}
        self._next_look = 0.0
        try:
            self._supervision.start(row.full_name)
            policy.begun(course)
            log.warning("started again", extra=about)
        except xmlrpc.client.Fault as fault:
            log.warning("not started", extra={**about, "error": fault.faultString})
            self._not_started(course, fault, now)
        except supervision.FAULTS as fault:  # the next look tells whether it was heard, or asks again
            log.warning("supervisord does not answer", extra={**about, "error": str(fault)})
        self._save()

    def _not_started(self, course: Course, fault: xmlrpc.client.Fault, now: float) -> None:
        if fault.faultCode == supervision.SPAWN_ERROR:
            policy.begun(course)
        elif fault.faultCode == supervision.ALREADY_STARTED:
            policy.overtaken(course)
        elif fault.faultCode != supervision.SHUTTING_DOWN:
            policy.refused(course, fault.faultString, now)

    def _tell(self, name: str, course: Course) -> None:
        about = {"program": name, "attempts": course.attempts, "error": course.why}
        alert_id = f"program-down:{name}:{course.started}"
        try:
            alerts.keep(self.paths, alert_id, {"alert": "program_down", **about})
        except OSError as fault:
            log.warning("cannot keep an alert", extra={"about": name, "error": str(fault)})
            return
        course.told = True
        self._save()
        log.error("gave up", extra={"about": name, "why": course.why, "attempts": course.attempts})

    # -- whether they answer

    def _judge(self, answer: Answer, now: float) -> None:
        name, row = answer.program, self._running.get(answer.program)
        if row is None or row.seen.pid != answer.pid:
            return
        course = self._book.course(name)
        known = Health(CARES.get(name, Care()), pid=course.pid, has_answered=course.has_answered)
        health = self._health.setdefault(name, known)
        is_hung = health.judge(now, answer.pid, answer.answers, room=self._has_room())
        course.answers, course.has_answered = answer.answers, health.has_answered
        if is_hung:
            self._end_hung(name, row)
        elif health.healthy_seconds(now) >= HEALTHY_SECONDS:
            policy.forgive(course)
        self._save()

    def _end_hung(self, name: str, row: Row) -> None:
        self._book.course(name).verdict = "did not answer"
        self._save()
        log.error("does not answer and is ended", extra={"about": name, "pid": row.seen.pid})
        try:
            self._supervision.kill(row.full_name, row.seen.pid)
        except supervision.FAULTS as fault:
            log.warning("cannot end it", extra={"about": name, "error": str(fault)})

    # -- the rest

    def _why(self, name: str, course: Course, seen: Seen) -> str:
        """How it ended. A kill for want of memory is its end even where it hit one of its children."""
        before, course.kills = course.kills, self._oom_kills(name)
        if course.kills is None or before is None or course.kills <= before:
            return seen.why
        log.error(OUT_OF_MEMORY, extra={"about": name, "kills": course.kills - before})
        return OUT_OF_MEMORY

    def _is_guarded(self, name: str) -> bool:
        return name != GUARDIAN and not programs.stays_off(name, self._settings)

    def _is_due(self, course: Course, now: float) -> bool:
        return course.phase == Phase.STARTING or (course.phase == Phase.WAITING and now >= course.due)

    def _has_room(self) -> bool:
        try:
            return free_bytes(self.paths.data) >= RESERVE_BYTES
        except OSError:
            return False

    def _save(self) -> None:
        """Before anything follows from a change. On a full disk it goes on without: programs come first."""
        text = courses.encode(self._book)
        if text != self._written:
            try:
                courses.write(self.paths, text)
                self._written, self._is_kept = text, True
            except OSError as fault:
                if self._is_kept:  # said once
                    log.warning("cannot keep the counts", extra={"error": str(fault)})
                self._is_kept = False

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._book.was_asked = True
        self._save()
        os._exit(0)
