"""A database elsewhere (MONGODB_URI): a backup comes back, and its lock lets one migrate at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from appliance import addresses, levels, settings
from appliance.clock import utc_now
from appliance.errors import CannotStart
from appliance.ops import restoring
from appliance.runtime import migrating, snapshots
from appliance.stores import applied, dumps
from appliance.stores.dumps import Tally
from tests.runtime.servers import temporary_data, until
from tests.upgrade import trees
from tests.upgrade.trees import Case, Tree


class Elsewhere:
    """A server with the data of before, and appliances that are given its address."""

    def __init__(self, db: Database[Any], uri: str, stack: ExitStack) -> None:
        self.db, self._uri, self._stack = db, uri, stack

    def another(self) -> Case:
        data = self._stack.enter_context(temporary_data())
        data.parent.mkdir(parents=True, exist_ok=True)
        return Case(data, MONGODB_URI=self._uri)

    def tallies(self) -> dict[str, Tally]:
        found = {name: dumps.tally(self.db, name) for name in dumps.collections(self.db)}
        return {name: tally for name, tally in found.items() if tally.documents}

    def level(self) -> int:
        return applied.read(self.db)


@pytest.fixture
def elsewhere(case: Case) -> Iterator[Elsewhere]:
    with ExitStack() as stack:
        db = stack.enter_context(trees.serving(case))
        yield Elsewhere(db, addresses.mongodb_uri(case.settings), stack)


def test_it_is_backed_up_then_migrated_by_one_alone(elsewhere: Elsewhere, tmp_path: Path) -> None:
    newer, first, second = Tree(tmp_path / "newer", trees.SLOW), elsewhere.another(), elsewhere.another()
    newer.hold.touch()
    child = first.begin(newer.home)
    try:
        until(lambda: newer.is_held, 60, "halfway")
        refused = second.refused(newer.home)
        assert "is at work on this database" in refused
        assert "it is of level 1 as before" in refused
        assert not list(second.paths.upgrade.iterdir())
        newer.hold.unlink()
        until(lambda: "ready after" in first.told, 60, "ready")
    finally:
        trees.end(child)
    assert "backed up the database as it is, of level 1" in first.told
    assert elsewhere.level() == levels.noted(first.settings) == 2
    assert snapshots.archive(first.paths).is_file() and snapshots.read(first.paths) is None
    refused = second.refused()
    assert f"the data in {second.data} is of level 2, and this code knows level 1 at most" in refused


def test_killed_midway_the_backup_is_put_back(elsewhere: Elsewhere, tmp_path: Path) -> None:
    newer, one = Tree(tmp_path / "newer", trees.SLOW), elsewhere.another()
    before = elsewhere.tallies()
    newer.hold.touch()
    child = one.begin(newer.home)
    try:
        until(lambda: newer.is_held, 60, "halfway")
    finally:
        child.kill()
        child.wait()
    until(lambda: elsewhere.tallies() != before, 10, "half is changed")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in one.environ.items():
            patch.setenv(name, value)
        (line,) = migrating.recover(one.paths, one.settings)
    assert "it is of level 1 again" in line
    assert elsewhere.tallies() == before
    assert not list(one.paths.upgrade.iterdir())


def test_a_backup_of_newer_data_is_not_restored_by_older_code(elsewhere: Elsewhere, tmp_path: Path) -> None:
    asked = settings.load({"APPLIANCE_DATA": str(tmp_path)}, dotenv=tmp_path / "none")
    (tmp_path / "mongo").mkdir()
    restoring._check_level(asked, elsewhere.db)
    assert levels.noted(asked) == 1
    applied.record(elsewhere.db, levels.Step(7, "of_newer_code"))
    with pytest.raises(
        CannotStart, match="the backup is of level 7, and this code knows level 1 at most; next:"
    ):
        restoring._check_level(asked, elsewhere.db)


def test_a_lock_ends_with_who_renews_it_no_more(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = applied.Lock(elsewhere.db, "one")
    lock.take()
    with pytest.raises(CannotStart, match="one is at work on this database"):
        applied.Lock(elsewhere.db, "two").take()
    now = utc_now()
    monkeypatch.setattr(applied, "utc_now", lambda: now + 2 * applied.HELD)
    second = applied.Lock(elsewhere.db, "two")
    second.take()
    monkeypatch.setattr(applied, "_RENEWED", 0.01)
    lock.keep()  # ends at once: it is somebody else's
    with pytest.raises(CannotStart, match="another one has taken it"):
        lock.check()
    second.release()
    assert elsewhere.db.upgrades.find_one({"_id": "lock"}) is None
