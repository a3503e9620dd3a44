"""How far something long is, told on stderr: a bar on a terminal, elsewhere a line now and then.

    told = progress.of("documents", quiet=chosen.quiet)
    told(120, 3000)

It may be called as often as there is news. With `--json` or `--quiet` nobody is told.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

Told = Callable[[int, int], None]
"""How many are done, of about how many."""
BAR_SECONDS: Final = 0.1
LINE_SECONDS: Final = 10.0
"""A log that nobody watches has a line in as many seconds."""
WIDTH: Final = 30


def of(
    what: str,
    *,
    quiet: bool,
    show: Callable[[int], str] = str,
    stream: TextIO | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Told:
    """`what` is counted, and each number is written by `show`."""
    if quiet:
        return nobody
    out = stream or sys.stderr
    return (_Bar if out.isatty() else _Lines)(what, show, out, now)


def nobody(_done: int, _total: int) -> None:
    pass


class _Bar:
    """`[##########                    ]  33 %  120 of 3000 documents`, written over."""

    def __init__(
        self, what: str, show: Callable[[int], str], stream: TextIO, now: Callable[[], float]
    ) -> None:
        self.what, self.show, self.stream, self.now = what, show, stream, now
        self.next = now()
        self.is_over = False

    def __call__(self, done: int, total: int) -> None:
        ends = done >= total
        if (self.now() < self.next and not ends) or self.is_over:
            return
        self.next, self.is_over = self.now() + BAR_SECONDS, ends
        part = min(1.0, done / total) if total else 1.0
        bar = ("#" * round(part * WIDTH)).ljust(WIDTH)
        told = f"[{bar}] {part:4.0%}  {self.show(done)} of {self.show(total)} {self.what}"
        # What is longer than this one was is wiped out; the end stays to be seen.
        print(f"\r{told}\x1b[K", end="\n" if ends else "", file=self.stream, flush=True)


class _Lines:
    """The first after some seconds, so that what is short says nothing; and an end after a beginning."""

    def __init__(
        self, what: str, show: Callable[[int], str], stream: TextIO, now: Callable[[], float]
    ) -> None:
        self.what, self.show, self.stream, self.now = what, show, stream, now
        self.next = now() + LINE_SECONDS
        self.has_begun = self.is_over = False

    def __call__(self, done: int, total: int) -> None:
        ends = done >= total
        if self.is_over or not (self.now() >= self.next or (ends and self.has_begun)):
            return
        self.next, self.has_begun, self.is_over = self.now() + LINE_SECONDS, True, ends
        print(
            f"{self.show(done)} of {self.show(total)} {self.what}",
            file=self.stream, flush=True,
        )  # fmt: skip
