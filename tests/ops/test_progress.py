"""How far it is: a bar, lines, or nothing."""

from __future__ import annotations

import io

from appliance.ops import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_terminal_has_a_bar_that_is_written_over() -> None:
    out, clock = Terminal(), Clock()
    told = progress.of("documents", quiet=False, stream=out, now=clock)
    told(0, 200)
    told(1, 200)  # too soon to be told
    clock.now += progress.BAR_SECONDS
    told(50, 200)
    told(200, 200)
    told(200, 200)
    assert out.getvalue() == (
        f"\r[{' ' * 30}]   0%  0 of 200 documents\x1b[K"
        f"\r[{'#' * 8}{' ' * 22}]  25%  50 of 200 documents\x1b[K"
        f"\r[{'#' * 30}] 100%  200 of 200 documents\x1b[K\n"
    )


def test_elsewhere_a_line_now_and_then_and_an_end_after_a_beginning() -> None:
    out, clock = io.StringIO(), Clock()
    told = progress.of("documents", quiet=False, stream=out, now=clock)
    for done in range(100):
        told(done, 100)
        clock.now += 1
    told(100, 100)
    lines = out.getvalue().splitlines()
    assert lines == [*(f"{done} of 100 documents" for done in range(10, 100, 10)), "100 of 100 documents"]


def test_what_is_short_says_nothing_in_a_log() -> None:
    out, clock = io.StringIO(), Clock()
    told = progress.of("documents", quiet=False, stream=out, now=clock)
    told(1, 2)
    told(2, 2)
    assert out.getvalue() == ""


def test_quiet_is_quiet_and_nothing_is_whole() -> None:
    out = Terminal()
    progress.of("documents", quiet=True, stream=out)(1, 1)
    assert out.getvalue() == ""
    progress.of("documents", quiet=False, stream=out)(0, 0)
    assert "100%" in out.getvalue()
