"""Counting in files: nothing is lost by a death, nothing is counted twice, nothing grows."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from appliance.metrics import counts, requests
from tests import disks

KEY = ("logins", "ok")


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one of these tests counts, and the slots that it holds, are its own."""
    monkeypatch.setattr(counts, "_own", counts.Counts())
    monkeypatch.setattr(counts, "_kept", None)
    monkeypatch.setattr(counts, "_looked", 0.0)


def child(work: Callable[[], None]) -> int:
    """Run it in a process of its own; how that ended."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def count_in(folder: Path, slot: str = "api-1", times: int = 1) -> None:
    counts.keep_in(folder, slot)
    for _ in range(times):
        counts.add(*KEY)


def leave() -> None:
    """As the kernel does it at a death: the slot is free again."""
    counts._own = counts.Counts()


def total(folder: Path) -> int:
    return counts.read(folder).get(KEY, [0])[0]


def test_a_killed_process_loses_nothing_and_the_next_one_counts_on(tmp_path: Path) -> None:
    def die() -> None:
        count_in(tmp_path, times=7)
        os.kill(os.getpid(), signal.SIGKILL)

    assert [child(die) for _ in range(3)] == [-signal.SIGKILL] * 3
    assert total(tmp_path) == 21
    assert [path.name for path in tmp_path.iterdir()] == ["api-1.counts"]


def test_files_and_series_do_not_grow_with_restarts(tmp_path: Path) -> None:
    """`scripts/bench metrics` kills real workers."""
    child(lambda: count_in(tmp_path))
    before = (sorted(tmp_path.iterdir()), counts.read(tmp_path).keys())
    for _ in range(1_000):
        count_in(tmp_path)
        leave()
    assert (sorted(tmp_path.iterdir()), counts.read(tmp_path).keys()) == before
    assert total(tmp_path) == 1_001
    assert (tmp_path / "api-1.counts").stat().st_size == counts.BYTES


def test_two_that_live_at_once_do_not_write_over_each_other(tmp_path: Path) -> None:
    count_in(tmp_path, times=2)
    child(lambda: count_in(tmp_path, times=3))
    counts.add(*KEY)
    assert total(tmp_path) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["api-1.counts", "api-1~2.counts"]


def test_more_at_once_than_there_may_be_count_for_nobody(tmp_path: Path) -> None:
    held = []
    for _ in range(8):
        count_in(tmp_path)
        held.append(counts.own())
    leave()
    count_in(tmp_path)
    assert (total(tmp_path), counts.told()[KEY]) == (8, 1)
    assert len(list(tmp_path.iterdir())) == 8


def test_slots_are_added_up_cell_by_cell(tmp_path: Path) -> None:
    for slot, numbers in (("api-1", (1, 2)), ("api-2", (10, 20))):
        counts.keep_in(tmp_path, slot)
        own = counts.own()
        at = own.place("times", "a", cells=2)
        own.cells[at], own.cells[at + 1] = numbers
    assert counts.read(tmp_path)["times", "a"] == [11, 22]


def test_what_finds_no_room_is_counted_as_dropped(tmp_path: Path) -> None:
    counts.keep_in(tmp_path, "api-1")
    for number in range(20_000):
        counts.add("urls", f"/{number}")
    found = counts.read(tmp_path)
    assert 1_000 < len(found) < 20_000
    assert found[counts.DROPPED][0] == 20_000 - (len(found) - 1)
    assert counts.own().place("times", cells=12) == -1
    assert (tmp_path / "api-1.counts").stat().st_size == counts.BYTES


def test_a_key_that_was_being_written_at_the_death_is_not_there(tmp_path: Path) -> None:
    """The last word that is written is where the records end."""
    count_in(tmp_path)
    words = counts.own().cells
    end = words[1]
    words[end], words[end + 1], words[end + 2] = 5 | 1 << 32, 0x4141414141, 9
    assert counts.read(tmp_path).keys() == {counts.DROPPED, KEY}
    del words
    leave()

    def count_on() -> None:
        counts.keep_in(tmp_path, "api-1")
        counts.add("new")

    child(count_on)
    assert counts.read(tmp_path) == {counts.DROPPED: [0], KEY: [1], ("new",): [1]}


@pytest.fixture
def small() -> Iterator[Path]:
    with disks.mounted("128k") as folder:
        yield folder


def test_a_full_disk_kills_nobody_who_counts(small: Path) -> None:
    assert child(lambda: count_in(small, times=1_000)) == 0
    assert counts.read(small) == {}


@pytest.mark.parametrize(
    "damage",
    [b"", b"x" * 100, b"counts/1" + b"\xff" * 8, b"counts/1" + (900).to_bytes(8, "little") + b"\xff" * 800],
)
def test_a_damaged_file_is_passed_over_and_begun_anew(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "api-1.counts").write_bytes(damage)
    count_in(tmp_path, "api-2")
    assert total(tmp_path) == 1
    count_in(tmp_path, "api-1", times=2)
    assert total(tmp_path) == 3


def test_a_start_empties_the_folder_and_hurts_nobody_who_still_counts(tmp_path: Path) -> None:
    def count_on() -> None:
        count_in(tmp_path)
        counts.wipe(tmp_path)
        for number in range(1_000):
            counts.add("urls", str(number))

    assert child(count_on) == 0
    assert counts.read(tmp_path) == {}
    count_in(tmp_path)
    assert total(tmp_path) == 1


def test_a_file_that_was_removed_is_made_anew_with_all_that_was_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [100.0]
    monkeypatch.setattr(counts, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    folder = tmp_path / "counts"
    folder.mkdir()
    count_in(folder, times=3)
    noted = requests.Requests(counts.own())
    for gone in ("file", "folder"):
        noted.note("/x", "GET", 200, 1)
        (folder / "api-1.counts").unlink()
        if gone == "folder":
            folder.rmdir()
        counts.add(*KEY)
        assert counts.read(folder) == {}, "it looks once in a second"
        moment[0] += 1
        if gone == "file":
            counts.look_after()
        else:
            counts.add(*KEY)
        noted.note("/x", "GET", 200, 1)
    counts.add(*KEY)
    assert total(folder) == 3 + 2 + 1 + 1
    assert counts.read(folder)["http_requests", "/x", "GET", "200"] == [4]
    assert child(lambda: count_in(folder)) == 0, "the slot is still taken"
    assert sorted(path.name for path in folder.iterdir()) == ["api-1.counts", "api-1~2.counts"]
