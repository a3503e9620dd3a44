"""What supervisord can write to, and when writes are refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from appliance.errors import Unavailable
from appliance.runtime import stderr
from appliance.stores.space import Space

WRITER = "import os; [os.write(2, b'x' * 1000) for _ in range(1000)]; print('through')"


def write_much(target: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """A child writes a megabyte to a pipe that is drained to `target`, to the last of it."""
    source, sink = os.pipe()
    monkeypatch.setattr(stderr, "TARGET", target)
    child = subprocess.Popen([sys.executable, "-c", WRITER], stderr=sink, stdout=subprocess.PIPE, text=True)
    os.close(sink)
    drain = stderr.drain(source)
    told, _ = child.communicate(timeout=30)
    drain.join(30)
    assert not drain.is_alive()
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
    assert (tmp_path / "told").stat().st_size == 1_000_000


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
