"""Children that die as they start, and those that hang."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import processes
from appliance.queue.restarts import Restarts
from tests.queue import short_lived
from tests.queue.conftest import Engine
from tests.runtime.servers import until


@pytest.fixture
def short() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="engine-") as folder:
        engine = Engine(Path(folder), short_lived.__name__)
        engine.start_redis()
        try:
            yield engine
        finally:
            engine.close()


def started(engine: Engine, least: int) -> list[tuple[float, int]]:
    """When and as which process, once there were so many."""
    until(lambda: engine.marks.llen("started") >= least, 30, f"{least} starts")
    rows = [row.split() for row in engine.marks.lrange("started", 0, -1)]
    return [(float(at), int(pid)) for at, pid in rows]


def test_who_dies_at_once_is_started_ever_more_slowly(short: Engine) -> None:
    short.pool(1, "dies")
    moments = [at for at, _ in started(short, 6)][:6]
    waits = [after - before for before, after in itertools.pairwise(moments)]
    assert all(wait >= least for wait, least in zip(waits, (0.1, 0.2, 0.4, 0.8, 1.6), strict=True)), waits


def test_the_longest_wait_and_who_does_not_wait() -> None:
    restarts = Restarts()
    assert [restarts.died(1, 0.02, worked=False) for _ in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    assert not restarts.may_start(1)
    assert restarts.may_start(2)
    assert restarts.died(1, 0.02, worked=True) == 0, "its task runs again at once"
    assert restarts.may_start(1)
    assert [restarts.died(1, lived, worked=False) for lived in (0.02, 60, 0.02)] == [0.1, 0, 0.1]


def test_who_shows_no_life_is_killed_and_who_loads_is_not(short: Engine) -> None:
    short.pool(2, "hangs")
    begun = [pid for _, pid in started(short, 5)]
    assert short.log.read_bytes().count(b"killed: it shows no life") >= 3
    assert sum(processes.find_stat(pid) is not None for pid in begun[:2]) == 1, "of the first two one stays"
