"""Programs that were given up, told to Alertmanager for as long as they are down (`appliance.own_alerts`).

By the guardian itself, since any other program may be the one that is down, the database too. In a thread: a
slow answer keeps no program waiting.
"""

from __future__ import annotations

import datetime as dt
import threading

from appliance import alertmanager, logs
from appliance.clock import utc_now
from appliance.courses import Book, Course, Phase
from appliance.own_alerts import AGAIN, HOLDS, Raised
from appliance.settings import Settings

log = logs.get(__name__)


class Raiser:
    """Tells what is so, and at once when that changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told: dict[str, Raised] = {}
        """By program: what Alertmanager has taken."""
        self._tried: set[str] = set()
        self._next = 0.0
        self._thread: threading.Thread | None = None

    def turn(self, now: float, book: Book) -> None:
        if not self._settings.monitoring or (self._thread is not None and self._thread.is_alive()):
            return
        down = {name: course for name, course in book.courses.items() if course.phase == Phase.DOWN}
        if now < self._next and down.keys() == self._tried:
            return
        self._next, self._tried = now + AGAIN, set(down)
        raised = {name: raised_of(name, course) for name, course in down.items()}
        if raised or self._told:
            self._thread = threading.Thread(target=self._tell, args=(raised,), name="raise", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Until what was begun is told."""
        if self._thread is not None:
            self._thread.join()

    def _tell(self, raised: dict[str, Raised]) -> None:
        now = utc_now()
        told = [each.told(now + HOLDS) for each in raised.values()]
        told += [each.told(now) for name, each in self._told.items() if name not in raised]
        try:
            alertmanager.post(self._settings, told)
            self._told = raised
        except alertmanager.Away as fault:
            log.warning("alerts wait", extra={"error": str(fault)})


def raised_of(name: str, course: Course) -> Raised:
    """It is down since it was begun for the last time."""
    since = dt.datetime.fromtimestamp(course.started, dt.UTC) if course.started else utc_now()
    about = {"name": name, "attempts": str(course.attempts), "error": course.why[:200]}
    return Raised("ProgramGivenUp", since, about)
