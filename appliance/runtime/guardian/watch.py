"""The parent's eye on the guardian. One that shows no life is ended, and supervisord starts another.

Its own alarm ends a guardian that hangs, but not one that is stopped (SIGSTOP): only SIGKILL reaches that.
"""

from __future__ import annotations

from collections.abc import Callable

from appliance.addresses import GUARDIAN, Paths
from appliance.runtime.guardian import probes, supervision
from appliance.runtime.guardian.guard import ALARM_SECONDS
from appliance.runtime.guardian.health import EVERY, Care, Health
from appliance.runtime.guardian.supervision import Supervision


class Watch:
    def __init__(self, paths: Paths, say: Callable[[str], None]) -> None:
        self._supervision, self._say, self._beat = Supervision(paths), say, paths.beat(GUARDIAN)
        self._pid, self._beats = 0, probes.Beats(self._beat)
        self._health = Health(Care(failures=round(ALARM_SECONDS / EVERY)))
        self._next = 0.0

    def look(self, now: float) -> None:
        """Every 10 s; a call before that does nothing."""
        if now < self._next:
            return
        self._next = now + EVERY
        try:
            row = self._supervision.rows()[GUARDIAN]
            if row.seen.pid != self._pid:  # the last beat of the one before says nothing of this one
                self._pid, self._beats = row.seen.pid, probes.Beats(self._beat)
            answers = self._beats()
            if row.seen.state != "RUNNING" or probes.is_launching(row.seen.pid):
                answers = None
            if self._health.judge(now, row.seen.pid, answers):
                self._supervision.kill(row.full_name, row.seen.pid)
                told = f"the guardian showed no life for {ALARM_SECONDS} s and was ended"
                self._say(f"{told}; supervisord starts another")
        except (*supervision.FAULTS, KeyError):
            return  # supervisord starts, stops or hangs
