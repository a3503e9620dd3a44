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
from appliance.runtime.snapshots import About
from appliance.stores import applied, dumps
from appliance.stores.dumps import Tally
from tests.runtime.servers import temporary_data, until
from tests.upgrade import trees
from tests.upgrade.trees import Case, Tree

ABOUT = About(1, 2, "9.9", "2026-01-31T12:00:00.000Z")


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
    before = data_of(elsewhere)
    killed_halfway(one, newer, elsewhere)
    (line,) = recover(one)
    assert "it is of level 1 again" in line
    assert data_of(elsewhere) == before and elsewhere.level() == 1
    assert not list(one.paths.upgrade.iterdir())


def killed_halfway(one: Case, newer: Tree, elsewhere: Elsewhere) -> None:
    before = elsewhere.tallies()
    newer.hold.touch()
    child = one.begin(newer.home)
    try:
        until(lambda: newer.is_held, 60, "halfway")
    finally:
        child.kill()
        child.wait()
    until(lambda: elsewhere.tallies() != before, 10, "half is changed")


def recover(one: Case) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in one.environ.items():
            patch.setenv(name, value)
        return migrating.recover(one.paths, one.settings)


def lose_lock(elsewhere: Elsewhere) -> None:
    """As a minute after the one that had it was killed."""
    elsewhere.db.upgrades.delete_one({"_id": "lock"})


def data_of(elsewhere: Elsewhere) -> dict[str, Tally]:
    return {name: tally for name, tally in elsewhere.tallies().items() if name != applied.COLLECTION}


def test_what_others_did_since_is_never_put_back_over(elsewhere: Elsewhere, tmp_path: Path) -> None:
    newer, one = Tree(tmp_path / "newer", trees.SLOW), elsewhere.another()
    killed_halfway(one, newer, elsewhere)
    lose_lock(elsewhere)
    with pytest.raises(CannotStart, match="the other one is at work on this database"):
        recover_while_locked(one, elsewhere)
    # Nobody works on what is half changed …
    assert "is half changed by a migration that process" in elsewhere.another().refused()
    # … but an older release, which knows nothing of attempts, migrates, serves and takes a response.
    applied.record(elsewhere.db, levels.Step(2, "mark_responses"))
    elsewhere.db.responses.insert_one({"_id": "of the other one"})
    there = data_of(elsewhere)
    with pytest.raises(CannotStart, match="another appliance has migrated it since") as raised:
        recover(one)
    archive = snapshots.archive(one.paths)
    assert str(archive) in str(raised.value) and "; next: " in str(raised.value)
    assert data_of(elsewhere) == there
    assert archive.exists() and (mark := snapshots.read(one.paths)) and mark.phase == "migrating"
    # As it says: without the mark the database is kept.
    snapshots.mark(one.paths).unlink()
    with one.running(newer.home):
        assert elsewhere.db.responses.find_one({"_id": "of the other one"})


def recover_while_locked(one: Case, elsewhere: Elsewhere) -> None:
    there = data_of(elsewhere)
    with applied.locked(elsewhere.db, "the other one"):
        try:
            recover(one)
        finally:
            assert data_of(elsewhere) == there


def test_killed_before_it_changed_the_database_it_changes_nothing(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    newer, one = Tree(tmp_path / "newer", trees.SLOW), elsewhere.another()
    killed_halfway(one, newer, elsewhere)
    assert "it is of level 1 again" in recover(one)[0]
    there = data_of(elsewhere)
    for state, told in ((None, "before it changed the database"), ("migrated", "after its end")):
        snapshots.begin(one.paths, ABOUT)
        snapshots.archive(one.paths).write_text("no backup")
        attempt = snapshots.arm(one.paths, ABOUT)
        if state is not None:
            elsewhere.db.upgrades.update_one({"_id": "attempt"}, {"$set": {"id": attempt, "state": state}})
        (line,) = recover(one)
        assert told in line and "left as it is" in line
        assert snapshots.read(one.paths) is None and snapshots.find(one.paths) == ABOUT
        assert data_of(elsewhere) == there


def test_going_back_is_asked_for_once(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Killed after its end, it does not give up what came since once more."""
    newer, one = Tree(tmp_path / "newer", trees.GOOD), elsewhere.another()
    before = data_of(elsewhere)
    with one.running(newer.home):
        pass
    assert elsewhere.level() == 2
    assert one.command("upgrade", "--back", "--yes").returncode == 0
    mark = snapshots.mark(one.paths).read_text()
    kept = tmp_path / "kept"
    trees.copy(snapshots.folder(one.paths), kept)
    assert "it is of level 1 again" in recover(one)[0]
    assert data_of(elsewhere)["responses"] == before["responses"] and elsewhere.level() == 1
    elsewhere.db.responses.insert_one({"_id": "came since"})
    trees.copy(kept, snapshots.folder(one.paths))
    snapshots.mark(one.paths).write_text(mark)
    recover(one)
    assert elsewhere.db.responses.find_one({"_id": "came since"})


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
