"""When a program that ended is started again: pure, told each look what supervisord says, and the time.

The restart policy of the flows ('Container Failure Recovery'): at once, then after 10, 20, 40 … 300 s; after
ten attempts the program stays down until somebody starts it. 60 s of health make the next end a first one.

    up ──ended──▶ waiting ──due──▶ starting ──begun──▶ up
     │               └──stopped by hand──▶ left
     └──ended after the tenth attempt──▶ down

A start that is not ours is somebody's who knows better: from anywhere it leads to `up` and begins afresh, as
a stop does. Only levels are looked at, never events, so nothing is lost with an event that nobody read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from appliance.courses import Course, Phase

ATTEMPTS = 10
HEALTHY_SECONDS = 60.0
"""Of health in a row, after which earlier attempts are forgotten."""
FIRST_WAIT, LONGEST_WAIT = 10.0, 300.0

ALIVE = ("STARTING", "RUNNING")
ENDED = ("EXITED", "FATAL")


def wait(attempt: int) -> float:
    """Seconds before the attempt, counted from 1."""
    return 0.0 if attempt <= 1 else min(FIRST_WAIT * 2 ** (attempt - 2), LONGEST_WAIT)


class Seen(NamedTuple):
    """A program as supervisord sees it; `started`, in seconds since 1970, names a life that has ended."""

    state: str
    pid: int = 0
    started: int = 0
    why: str = ""
    """How it ended."""


class Deed(StrEnum):
    """What is to be done, after the course was saved."""

    START = "start"
    TELL = "tell"
    """That it is given up."""


def look(course: Course, seen: Seen, now: float) -> Deed | None:
    """What is to be done now; what has become of it is in `course` from here on."""
    if seen.state == "STOPPED":
        _begin_afresh(course, 0, 0)
    elif seen.state in ALIVE:
        _note_life(course, seen)
    elif seen.state in ENDED:
        return _note_end(course, seen, now)
    return None  # STOPPING, BACKOFF: on the way to one of these


def begun(course: Course) -> None:
    """supervisord has started it, or tried to: what comes of it the next look tells."""
    _begin(course, 0, 0)
    course.restarts += 1


def refused(course: Course, why: str, now: float) -> None:
    """supervisord could not even try. That was an attempt too."""
    _fail(course, course.started, why, now)


def overtaken(course: Course) -> None:
    """Somebody else started it meanwhile."""
    course.phase = Phase.WAITING


def leave(course: Course, seen: Seen, now: float) -> None:
    """Stopped by hand after it had ended, which the course may not know yet."""
    if course.phase == Phase.UP:
        _fail(course, seen.started, course.verdict or seen.why, now)
    # Also of a life that a guardian began and did not live to see: the next look would take it for a new one.
    course.phase, course.started = Phase.LEFT, seen.started


def forgive(course: Course) -> None:
    """It has been healthy for long enough."""
    course.attempts, course.verdict = 0, ""


def _note_life(course: Course, seen: Seen) -> None:
    if course.phase == Phase.STARTING:
        begun(course)  # a guardian that has died since asked for it
    elif course.phase != Phase.UP or course.pid not in (0, seen.pid):
        _begin_afresh(course, seen.pid, seen.started)
    course.pid, course.started = seen.pid, seen.started


def _note_end(course: Course, seen: Seen, now: float) -> Deed | None:
    if course.started not in (0, seen.started):  # it lived and died between two looks
        if course.phase == Phase.STARTING:
            begun(course)
        else:
            _begin_afresh(course, 0, seen.started)  # we did not start it
    if course.phase == Phase.UP:
        _fail(course, seen.started, course.verdict or seen.why, now)
    if course.phase == Phase.DOWN:
        return None if course.told else Deed.TELL
    if course.phase == Phase.LEFT or (course.phase == Phase.WAITING and now < course.due):
        return None
    course.attempts += course.phase == Phase.WAITING
    course.phase = Phase.STARTING
    return Deed.START


def _fail(course: Course, started: int, why: str, now: float) -> None:
    _begin(course, 0, started)
    course.why, course.verdict, course.told = why, "", False
    course.phase = Phase.DOWN if course.attempts >= ATTEMPTS else Phase.WAITING
    course.due = now + wait(course.attempts + 1)


def _begin_afresh(course: Course, pid: int, started: int) -> None:
    _begin(course, pid, started)
    course.attempts, course.why, course.verdict = 0, "", ""


def _begin(course: Course, pid: int, started: int) -> None:
    """Another process (0: the next one): what the one before it answered says nothing of this one."""
    course.phase, course.pid, course.started = Phase.UP, pid, started
    course.answers, course.has_answered = None, False
