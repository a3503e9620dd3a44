"""What may break into a running task, raised in it by a signal of its process.

They are BaseExceptions: an `except Exception` of the task does not hold them up.
"""

from __future__ import annotations

import signal
from types import FrameType


class Interrupt(BaseException):
    """Above all of them."""


class SoftTimeout(Interrupt):
    """The task has run for longer than its route allows."""


class Cancelled(Interrupt):
    """Somebody asked for its end."""


class GivenBack(Interrupt):
    """The process must end now; another one will run the task anew."""


_AGAIN = 1.0
"""Seconds after which a soft timeout is raised once more, until it gets through."""
_RAISES: dict[int, type[Interrupt]] = {
    signal.SIGALRM: SoftTimeout,
    signal.SIGUSR1: Cancelled,
    signal.SIGTERM: GivenBack,
}


class Interrupts:
    """One a process, for its main thread."""

    def __init__(self) -> None:
        self._in_task = self._give_back = False
        self.stopping = False
        """True once the process was asked to end."""
        self.struck = False
        """True when the last task was interrupted: what it left behind is not to be trusted."""

    def install(self) -> None:
        signal.signal(signal.SIGINT, self._stop)
        for number in _RAISES:
            signal.signal(number, self._raise)

    def __call__(self, soft: float) -> Interrupts:
        """`with interrupts(seconds):` around the task."""
        self._soft = soft
        return self

    def __enter__(self) -> None:
        self.struck = False
        if self._give_back:  # it was asked while the task was being claimed
            raise GivenBack
        self._in_task = True
        signal.setitimer(signal.ITIMER_REAL, self._soft, _AGAIN)

    def __exit__(self, *_: object) -> None:
        self._in_task = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Finish what runs, then end."""
        self.stopping = True

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self.stopping = self._give_back = True
        if self._in_task:
            self.struck = True
            raise _RAISES[number]
