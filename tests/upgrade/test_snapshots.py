"""The copy of the data: killed before any step, the next start has the data of before, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import disk, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import folders, migrating, snapshots
from appliance.runtime.snapshots import About
from appliance.settings import Settings
from tests import disks
from tests.upgrade import kills

OLD = {
    "mongo/data/a": "old", "mongo/level": "1 embedded\n", "redis/aof": "old", "secrets/key": "old",
    "files/ab/1": "file", "files/cd/2": "file", "lake/date/x": "lake", "vectors/v": "old",
}  # fmt: skip
ABOUT = About(1, 2, "9.9", "2026-01-31T12:00:00.000Z")


@pytest.fixture
def chosen(tmp_path: Path) -> Iterator[Settings]:
    memory = Path("/dev/shm")  # hundreds of starts sync each file
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield filled(Path(folder))


def filled(folder: Path) -> Settings:
    found = settings.load({"APPLIANCE_DATA": str(folder / "data")}, dotenv=folder / "none")
    folders.create(Paths(found.data))
    for name, text in OLD.items():
        (found.data / name).parent.mkdir(parents=True, exist_ok=True)
        (found.data / name).write_text(text)
    (found.data / "logs" / "x.log").write_text("a line")
    (found.data / "mongo" / "data" / "a").chmod(0o640)
    return found


def files(data: Path) -> dict[str, str]:
    there = [each for name in (*snapshots.COPIED, *snapshots.LINKED) for each in (data / name).rglob("*")]
    return {str(each.relative_to(data)): each.read_text() for each in there if each.is_file()}


def migrate(paths: Paths) -> None:
    """What newer code does: it writes in place, replaces, adds, removes."""
    snapshots.begin(paths, ABOUT)
    snapshots.take(paths)
    snapshots.arm(paths, ABOUT)
    with (paths.mongo / "data" / "a").open("r+") as file:
        file.write("NEW")
    disk.write_durably(paths.level, "2 embedded\n")
    (paths.mongo / "data" / "b").write_text("new")
    (paths.files / "ab" / "1").unlink()
    (paths.files / "ab" / "3").write_text("new")


def check(chosen: Settings) -> None:
    paths = Paths(chosen.data)
    assert files(chosen.data) == OLD
    assert (paths.mongo / "data" / "a").stat().st_mode & 0o777 == 0o640
    assert (chosen.data / "logs" / "x.log").exists()
    assert {each.name for each in paths.upgrade.iterdir()} <= {"aside"}
    snapshots.let_go(paths)  # as when the database has started
    assert {each.stat().st_nlink for each in paths.files.glob("*/*")} == {1}


def test_what_went_wrong_is_put_back(chosen: Settings) -> None:
    migrate(Paths(chosen.data))
    assert files(chosen.data) != OLD
    assert len(migrating.recover(Paths(chosen.data), chosen)) == 1
    check(chosen)
    assert migrating.recover(Paths(chosen.data), chosen) == []


def test_killed_anywhere_the_next_start_has_the_data_of_before(chosen: Settings) -> None:
    """Also when starts that were refused have made folders meanwhile."""
    paths = Paths(chosen.data)
    for step in range(1, 500):
        status = kills.before(step, lambda: migrate(paths))
        folders.create(paths)
        migrating.recover(paths, chosen)
        check(chosen)
        if status == 0:
            break
        assert status == kills.KILLED, step
    assert 50 < step < 499


def test_killed_while_it_puts_back_the_next_start_goes_on(chosen: Settings) -> None:
    paths = Paths(chosen.data)
    for step in range(1, 500):
        migrate(paths)
        status = kills.before(step, lambda: migrating.recover(paths, chosen))
        folders.create(paths)
        migrating.recover(paths, chosen)
        check(chosen)
        if status == 0:
            break
        assert status == kills.KILLED, step
    assert 20 < step < 499


def test_the_next_one_takes_the_place_of_the_one_that_is_kept(chosen: Settings) -> None:
    paths = Paths(chosen.data)
    migrate(paths)
    snapshots.disarm(paths)
    assert snapshots.find(paths) == ABOUT
    after = files(chosen.data)
    snapshots.begin(paths, ABOUT)
    assert snapshots.find(paths) is None  # one that is not whole is none
    snapshots.take(paths)
    snapshots.arm(paths, ABOUT)
    (paths.mongo / "data" / "b").unlink()
    migrating.recover(paths, chosen)
    assert files(chosen.data) == after


def test_a_mark_that_cannot_be_read_stops_the_start(chosen: Settings) -> None:
    (Paths(chosen.data).upgrade / "mark").write_text("{")
    with pytest.raises(CannotStart, match=r"nobody knows whether .* has to be put back"):
        migrating.recover(Paths(chosen.data), chosen)


def test_on_a_disk_that_is_full_nothing_is_begun_or_all_is_put_back() -> None:
    with disks.mounted("3m") as folder:
        found = settings.load({"APPLIANCE_DATA": str(folder / "data")}, dotenv=folder / "none")
        paths = Paths(found.data)
        folders.create(paths)
        (paths.mongo / "data").mkdir()
        (paths.mongo / "data" / "a").write_bytes(os.urandom(2 * 2**20))
        old = (paths.mongo / "data" / "a").read_bytes()
        assert snapshots.needed(paths) == len(old)
        snapshots.begin(paths, ABOUT)
        with pytest.raises(OSError) as raised:
            snapshots.take(paths)
        assert raised.value.errno == errno.ENOSPC
        (paths.logs / "filler").write_bytes(b"")
        migrating.recover(paths, found)
        assert (paths.mongo / "data" / "a").read_bytes() == old
        # … and with the copy made, on a disk without a free byte.
        (paths.mongo / "data" / "a").write_bytes(old[: 2**20])
        migrate_without_files(paths)
        fill_up(paths.logs / "filler")
        migrating.recover(paths, found)
        assert (paths.mongo / "data" / "a").read_bytes() == old[: 2**20]
        assert [each.name for each in paths.upgrade.iterdir()] == ["aside"]


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def migrate_without_files(paths: Paths) -> None:
    snapshots.begin(paths, ABOUT)
    snapshots.take(paths)
    snapshots.arm(paths, ABOUT)
    with (paths.mongo / "data" / "a").open("r+b") as file:
        file.write(b"NEW")
