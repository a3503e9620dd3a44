"""`up` of newer code migrates the data, or leaves it as it was: whatever fails, and wherever it is killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from appliance import levels
from appliance.runtime import migrating, snapshots
from tests.runtime.servers import until
from tests.upgrade import trees
from tests.upgrade.trees import Case, Tree


def test_data_from_before_is_brought_to_the_level_of_the_code(case: Case, tmp_path: Path) -> None:
    newer = Tree(tmp_path / "newer", trees.GOOD)
    with case.running(newer.home):
        told = case.told
    assert "the data is of level 1, this code of 2; migrations: 2 (mark_responses)" in told
    assert "migration 2: Each response gets a mark" in told
    assert levels.noted(case.settings) == 2
    assert len(case.find("responses", {"marked": True})) == trees.RESPONSES
    (level,) = case.find("upgrades", {"_id": "level"})
    assert [(each["number"], each["name"]) for each in level["applied"]] == [
        (1, "new"),
        (2, "mark_responses"),
    ]
    assert snapshots.read(case.paths) is None
    assert (about := snapshots.find(case.paths)) and (about.level, about.to) == (1, 2)
    # The older code leaves it alone, and says what there is to do.
    refused = case.refused()
    assert f"the data in {case.data} is of level 2, and this code knows level 1 at most" in refused
    assert "next: start the newer code again, or give up what was stored since" in refused
    case.paths.level.unlink()  # the database is asked then
    assert f"the data in {case.data} is of level 2, and this code knows level 1" in case.refused()
    with case.running(newer.home):  # nothing is left to do
        assert "migrations" not in case.told
        for name in ("backup", "jwt", "cursors", "webhooks", "admin"):
            assert case.command("secrets", "rotate", name, home=newer.home).returncode == 0
        assert case.command("backup", "create", home=newer.home).returncode == 0
    (backup,) = case.paths.backups.glob("*.age")
    stays = [case.paths.backup_key, case.paths.jwt_keys, case.paths.cursor_key]
    now = [path.read_bytes() for path in stays]
    # Whoever wants the older code all the same gives up what came since.
    back = case.command("upgrade", "--back", "--yes")
    assert back.returncode == 0 and "as of then, too: admin_password;" in back.stdout
    with case.running() as client:
        assert "it is of level 1 again" in case.told
        assert not list(case.paths.upgrade.iterdir())
        admin = {"username": "admin", "password": case.paths.admin_password.read_text().strip()}
        assert client.post("/auth/login", json=admin).status_code == 200
    # What was replaced since, maybe since it leaked, stays so; and backups made since are opened.
    assert [path.read_bytes() for path in stays] == now
    assert case.command("backup", "verify", str(backup)).returncode == 0
    assert not case.find("responses", {"marked": True})


def test_one_that_fails_midway_leaves_all_as_it_was(case: Case, tmp_path: Path) -> None:
    before = case.tallies()
    refused = case.refused(Tree(tmp_path / "newer", trees.FAILING).home)
    assert "migration 2 (mark_responses) failed: ValueError: row 150 is not what it should be" in refused
    assert "it is of level 1 as before; next: mend that and start again, or start the older code" in refused
    assert snapshots.read(case.paths) is None and snapshots.find(case.paths) is None
    assert [each.name for each in case.paths.upgrade.iterdir()] == ["aside"]
    assert case.tallies() == before
    with case.running():
        assert not list(case.paths.upgrade.iterdir())
    assert (case.paths.files / "ab" / "kept").read_text() == "a file"
    assert (case.paths.files / "ab" / "kept").stat().st_nlink == 1


def killed_midway(case: Case, newer: Tree) -> None:
    """With half of the rows changed."""
    newer.hold.touch()
    child = case.begin(newer.home)
    try:
        until(lambda: newer.is_held, 30, "halfway")
    finally:
        child.kill()
        child.wait()
    assert snapshots.read(case.paths) is not None


@pytest.mark.parametrize("by", ["older", "newer"])
def test_killed_midway_the_next_start_begins_with_what_was_there(case: Case, tmp_path: Path, by: str) -> None:
    newer = Tree(tmp_path / "newer", trees.SLOW)
    before = case.tallies()
    killed_midway(case, newer)
    if by == "older":
        (line,) = migrating.recover(case.paths, case.settings)
        assert line == "an upgrade of the data to level 2 was broken off; it is of level 1 again"
        assert case.tallies() == before
        with case.running():
            assert "migration" not in case.told
    else:
        newer.hold.unlink()
        with case.running(newer.home):
            assert "it is of level 1 again" in case.told
            assert "migrations: 2 (mark_responses)" in case.told
        assert len(case.find("responses", {"marked": True})) == trees.RESPONSES


def test_asked_to_stop_it_puts_back(case: Case, tmp_path: Path) -> None:
    newer = Tree(tmp_path / "newer", trees.SLOW)
    before = case.tallies()
    newer.hold.touch()
    child = case.begin(newer.home)
    until(lambda: newer.is_held, 30, "halfway")
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 2, case.told
    assert "it was told to stop; it is of level 1 as before" in case.told
    assert case.tallies() == before
