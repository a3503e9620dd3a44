"""When the watch ends the database, and what supervisord can write to."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from appliance.errors import Unavailable
from appliance.runtime import stderr
from appliance.runtime.watch import EVERY, LONGEST_PAUSE, PATIENCE, PAUSE, Verdicts
from appliance.stores.space import Space
from tests.runtime.servers import until

Look = tuple[int | None, bool | None, bool]
FAILS: Look = (7, False, True)
SERVES: Look = (None, True, True)


def ended_at(looks: Iterable[Look], every: float = EVERY) -> list[float]:
    """Seconds from the first look at which the process would be ended."""
    verdicts = Verdicts()
    return [
        number * every
        for number, (pid, serves, room) in enumerate(looks)
        if verdicts.judge(number * every, pid, serves, room=room)
    ]


def test_one_that_fails_for_long_is_ended_and_given_longer_each_time() -> None:
    times = ended_at([FAILS] * 3000)
    assert times[0] == PATIENCE
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[:3] == [PAUSE, 2 * PAUSE, 4 * PAUSE]
    assert max(pauses) <= LONGEST_PAUSE
    assert pauses[-1] == LONGEST_PAUSE


@pytest.mark.parametrize(
    "looks",
    [
        [SERVES] * 100,
        [FAILS] * 6 + [SERVES] + [FAILS] * 6,
        [(None, False, True)] * 100,
        [FAILS] * 6 + [(7, None, True)] + [FAILS] * 6,
        [(pid, False, True) for pid in (7, 8) for _ in range(6)],
        [FAILS] * 6 + [(None, False, True)] + [FAILS] * 6,
        [(7, False, False)] * 100,
    ],
    ids=[
        "serves",
        "frozen for 25 s",
        "starts or is stopped",
        "nobody knows",
        "started again",
        "stopped",
        "full",
    ],
)
def test_any_other_is_left_alone(looks: list[Look]) -> None:
    assert ended_at(looks) == []


def test_one_that_served_in_between_is_not_given_longer() -> None:
    times = ended_at([*[FAILS] * 8, SERVES, *[FAILS] * 30])
    assert times == [30.0, 90.0, 150.0]


def test_as_soon_as_there_is_room() -> None:
    assert ended_at([(7, False, False)] * 50 + [FAILS]) == [250.0]


def test_time_that_nobody_looked_at_does_not_count() -> None:
    verdicts = Verdicts()
    assert not verdicts.judge(0.0, 7, False, room=True)
    assert not verdicts.judge(3600.0, 7, False, room=True)
    assert not verdicts.judge(3605.0, 7, False, room=True)


WRITER = "import os; [os.write(2, b'x' * 1000) for _ in range(1000)]; print('through')"


def write_much(target: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A child writes a megabyte to a pipe that is drained to `target`."""
    source, sink = os.pipe()
    monkeypatch.setattr(stderr, "TARGET", target)
    child = subprocess.Popen([sys.executable, "-c", WRITER], stderr=sink, stdout=subprocess.PIPE, text=True)
    os.close(sink)
    stderr.drain(source)
    told, _ = child.communicate(timeout=30)
    return str(told)


@pytest.fixture(params=["full", "nobody reads", "reader gone"])
def bad_target(request: pytest.FixtureRequest) -> Iterable[int]:
    source, sink = os.pipe()
    if request.param == "full":
        os.close(sink)
        sink = os.open("/dev/full", os.O_WRONLY)
    if request.param == "reader gone":
        os.close(source)
    yield sink
    os.close(sink)
    if request.param != "reader gone":
        os.close(source)


def test_who_writes_to_it_never_waits_nor_fails(bad_target: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert write_much(bad_target, monkeypatch) == "through\n"


def test_what_can_be_passed_on_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "told").open("wb") as target:
        write_much(target.fileno(), monkeypatch)
        told = tmp_path / "told"
        until(
            lambda: told.stat().st_size == 1_000_000,
            what="the last of it, which the child leaves in the pipe",
        )


def space(sizes: list[int], now: Callable[[], float]) -> Space:
    return Space(Path("/"), 100, measure=lambda _: sizes.pop(0), now=now)


def test_writes_are_refused_below_the_reserve_and_measured_twice_a_second() -> None:
    clock = [0.0]
    room = space([100, 99, 100], lambda: clock[0])
    room.check()
    clock[0] = 0.4
    room.check()
    clock[0] = 0.5
    with pytest.raises(Unavailable) as refused:
        room.check()
    assert refused.value.retry_after == 30
    clock[0] = 1.0
    room.check()


def test_a_folder_that_is_gone_refuses_writes() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        Space(Path("/nonexistent")).check()
