"""When a program that runs is healthy, and when it hangs: pure, told each probe's answer and its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

EVERY = 10.0
"""Seconds from one probe to the next."""
TIMEOUT = 8.0
"""Seconds that a probe waits. Long, because a busy machine must not look like a hung program."""
FAILURES = 3
"""In a row: silent for about half a minute."""
GRACE = 600.0
"""Seconds that a program has until its first answer. A busy or emulated machine takes minutes to import all
programs at once, and to end them before they are done would begin that anew for ever."""
_GAP = 30.0
"""Seconds between two probes after which nothing is known of the time in between (a suspended machine)."""


class Care(NamedTuple):
    """How a kind of program is judged."""

    failures: int = FAILURES
    """In a row, before it is ended."""
    grace: float = GRACE
    pause: float = 0.0
    longest_pause: float = 3600.0
    """Seconds between two ends that we put to it: doubled after each that did not help. None by default: the
    waits of the policy are enough."""


@dataclass(slots=True)
class Health:
    """Of one program: its judge keeps what was before."""

    care: Care = field(default_factory=Care)
    pid: int = 0
    first: float = 0.0
    """When this process was first probed."""
    last: float = 0.0
    since: float | None = None
    """Healthy without a break since then."""
    has_answered: bool = False
    failures: int = 0
    ends: int = 0
    not_before: float = 0.0

    def judge(self, now: float, pid: int, answers: bool | None, *, room: bool = True) -> bool:
        """Whether it hangs and is to be ended now.

        `answers` is None when nobody can say: it waits in `launch`, or has not opened its port yet. Without
        `room` on the disk it could not come back, and is not ended.
        """
        if pid != self.pid or now - self.last > _GAP:
            self.first, self.since, self.failures = now, None, 0
            self.has_answered = self.has_answered and pid == self.pid
        self.pid, self.last = pid, now
        if answers is not False:
            self._has_no_fault(now, answers)
            return False
        self.since = None
        self.failures += 1
        if self.failures < self.care.failures or now < self.not_before or not room or self._is_new(now):
            return False
        self.not_before = now + min(self.care.pause * 2**self.ends, self.care.longest_pause)
        self.ends += 1
        self.failures = 0
        return True

    def healthy_seconds(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since

    def _has_no_fault(self, now: float, answers: bool | None) -> None:
        self.failures = 0
        if answers:
            self.since = now if self.since is None else self.since
            self.has_answered, self.ends = True, 0
        else:
            self.since = None
            self.first = now  # its grace begins once it can be asked

    def _is_new(self, now: float) -> bool:
        return not self.has_answered and now - self.first < self.care.grace
