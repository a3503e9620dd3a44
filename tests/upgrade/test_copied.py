"""A copy that is not whole is never put back, one that nobody can read is never removed; and what is on the
disk before the mark says so.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.ops import upgrade_back, upgrade_check
from appliance.runtime import copied, folders, migrating, snapshots
from appliance.settings import Settings
from tests import disks
from tests.upgrade.test_snapshots import ABOUT, OLD, files, filled, migrate


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    return filled(tmp_path)


@pytest.fixture
def paths(chosen: Settings) -> Paths:
    return Paths(chosen.data)


def everything(data: Path) -> dict[str, str]:
    return {str(each.relative_to(data)): each.read_text() for each in data.rglob("*") if each.is_file()}


@pytest.mark.parametrize("lost", ["mongo/data", "mongo", "mongo/data/a", "files/ab/1", ".", "contents.json"])
def test_a_copy_that_is_not_whole_is_not_put_back(chosen: Settings, paths: Paths, lost: str) -> None:
    migrate(paths)
    path = snapshots.folder(paths) / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    there = everything(paths.data)
    with pytest.raises(CannotStart, match=r"is not whole .* next: .* restore a backup of before"):
        migrating.recover(paths, chosen)
    assert everything(paths.data) == there


def test_one_that_is_cut_short_is_not_put_back_either(chosen: Settings, paths: Paths) -> None:
    migrate(paths)
    os.truncate(snapshots.folder(paths) / "mongo" / "data" / "a", 1)
    with pytest.raises(CannotStart, match="mongo/data/a has 1 bytes, not 3"):
        migrating.recover(paths, chosen)


def test_what_has_taken_its_place_already_is_looked_at_too(chosen: Settings, paths: Paths) -> None:
    migrate(paths)
    snapshots._exchange(paths, "mongo")
    (paths.mongo / "data" / "a").unlink()
    with pytest.raises(CannotStart, match="mongo/data/a is missing"):
        migrating.recover(paths, chosen)


def test_it_is_not_asked_for_either(chosen: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_DATA", str(chosen.data))
    migrate(paths)
    snapshots.disarm(paths)
    shutil.rmtree(snapshots.folder(paths) / "mongo" / "data")
    with pytest.raises(CannotStart, match="mongo/data is missing, mongo/data/a is missing"):
        upgrade_back.run(sure=True, above=None)
    assert snapshots.read(paths) is None


def test_a_phase_that_nobody_knows_stops_the_start(chosen: Settings, paths: Paths) -> None:
    migrate(paths)
    mark = json.loads(snapshots.mark(paths).read_text())
    snapshots.mark(paths).write_text(json.dumps({**mark, "phase": "migrated"}))
    there = everything(paths.data)
    with pytest.raises(CannotStart, match="no such phase: 'migrated'"):
        migrating.recover(paths, chosen)
    assert everything(paths.data) == there


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"level": 1}', '{"level": 1, "to": 2, "version": "", "at": "?"}']
)
def test_a_copy_that_nobody_can_read_is_kept(
    chosen: Settings, paths: Paths, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_DATA", str(chosen.data))
    migrate(paths)
    snapshots.disarm(paths)
    (snapshots.folder(paths) / "about.json").write_text(text)
    there = everything(paths.data)
    (line,) = migrating.recover(paths, chosen)
    assert "about.json cannot be read" in line and "it is kept; next: " in line
    for refused in (
        lambda: migrating._check_copy(paths, chosen),
        lambda: upgrade_back.run(sure=True, above=None),
    ):
        with pytest.raises(CannotStart, match=r"about\.json cannot be read"):
            refused()
    assert everything(paths.data) == there


def test_what_newer_code_says_of_it_besides_is_passed_over(chosen: Settings, paths: Paths) -> None:
    migrate(paths)
    for path in (snapshots.mark(paths), snapshots.folder(paths) / "about.json"):
        told = json.loads(path.read_text())
        told.get("about", told)["colour"] = "blue"
        path.write_text(json.dumps({**told, "more": 1}))
    assert snapshots.find(paths) == ABOUT
    assert "it is of level 1 again" in migrating.recover(paths, chosen)[0]
    assert files(chosen.data) == OLD


def test_a_folder_in_which_something_lies_is_not_removed(chosen: Settings, paths: Paths) -> None:
    """A way back was killed between its two renames, and somebody has used the folder in between."""
    migrate(paths)
    snapshots.aside(paths).mkdir()
    paths.mongo.rename(snapshots.aside(paths) / "mongo")
    folders.create(paths)
    (paths.mongo / "mine").write_text("mine")
    with pytest.raises(OSError, match="not empty"):
        migrating.recover(paths, chosen)
    assert (paths.mongo / "mine").read_text() == "mine"
    (paths.mongo / "mine").unlink()
    migrating.recover(paths, chosen)
    assert files(chosen.data) == OLD


def test_what_was_replaced_is_kept_until_the_database_has_started(
    chosen: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(paths)
    new = (paths.mongo / "data" / "a").read_text()
    migrating.recover(paths, chosen)
    migrating.recover(paths, chosen)  # another start, which came no further
    monkeypatch.setattr(migrating, "_ask", lambda *_: (2, ["appliance: it does not"]))
    with pytest.raises(CannotStart, match=r"does not start on what was put back: it does not; .* is kept"):
        migrating.bring_up_to_date(paths, chosen, print)
    assert (snapshots.aside(paths) / "mongo" / "data" / "a").read_text() == new
    monkeypatch.setattr(migrating, "_ask", lambda *_: (0, ["1"]))
    migrating.bring_up_to_date(paths, chosen, print)
    assert not snapshots.aside(paths).exists()


def test_links_are_refused_before_anything_begins(chosen: Settings, paths: Paths, tmp_path: Path) -> None:
    migrating._check_copy(paths, chosen)
    (tmp_path / "fast").mkdir()
    for link in (paths.mongo / "data" / "b", paths.redis):
        if link.exists():
            shutil.rmtree(link)
        link.symlink_to(tmp_path / "fast")
        with pytest.raises(CannotStart, match=f"{link} is a link, .* next: stop the appliance, put"):
            migrating._check_copy(paths, chosen)
        assert any(f"{link} is a link" in fault for fault in upgrade_check._copy(chosen, migrates=True))
        assert not list(paths.upgrade.iterdir())
        snapshots.begin(paths, ABOUT)
        if link.name == "b":
            with pytest.raises(OSError, match="is a link, which cannot be copied"):
                snapshots.take(paths)
        snapshots.throw_away(paths)
        link.unlink()


def test_a_folder_on_another_disk_is_refused() -> None:
    with disks.mounted("3m") as folder:
        (told,) = copied.find_obstacles(folder.parent, [folder.name])
        assert told.startswith(f"{folder} is a mount of its own") and "; next: " in told


class Journal:
    """What is synced, renamed and removed, in its order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.acts: list[tuple[str, str]] = []
        for name in ("rename", "replace", "unlink"):
            monkeypatch.setattr(os, name, self._recording(name, getattr(os, name)))
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            self.acts.append(("sync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)

    def _recording(self, name: str, act: Any) -> Any:
        def recorded(path: Any, *more: Any, **named: Any) -> Any:
            self.acts.append((name, str(more[0] if more else path)))
            return act(path, *more, **named)

        return recorded

    def between(self, first: tuple[str, str], last: tuple[str, str]) -> list[str]:
        """What is synced after the one, and before the other."""
        at = self.acts.index(first) if first[0] else 0
        end = self.acts.index(last, at + 1) if last[0] else len(self.acts)
        return [path for name, path in self.acts[at:end] if name == "sync"]


def test_all_of_the_copy_is_on_the_disk_before_the_mark_says_so(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots.begin(paths, ABOUT)
    journal = Journal(monkeypatch)
    snapshots.take(paths)
    snapshots.arm(paths, ABOUT)
    synced = journal.between(("", ""), ("replace", str(snapshots.mark(paths))))
    copy = snapshots.folder(paths)
    linked = [copy / name for name in snapshots.LINKED]
    for each in [copy, *copy.rglob("*")]:
        is_second_name = each.is_file() and any(each.is_relative_to(folder) for folder in linked)
        if each.parent != copy or each.is_dir():  # the two lists are synced under the name of their drafts
            assert is_second_name or str(each) in synced, each
    assert str(paths.upgrade) in synced
    assert str(paths.upgrade) in journal.between(("replace", str(snapshots.mark(paths))), ("", ""))


def test_the_mark_is_gone_for_good_before_anything_starts(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(paths)
    journal = Journal(monkeypatch)
    snapshots.disarm(paths)
    assert journal.between(("unlink", str(snapshots.mark(paths))), ("", "")) == [str(paths.upgrade)]


def test_each_name_is_on_the_disk_before_the_next_changes(
    chosen: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(paths)
    journal = Journal(monkeypatch)
    migrating.recover(paths, chosen)
    names = [*snapshots.COPIED, *snapshots.LINKED]
    aside, copy = snapshots.aside(paths), snapshots.folder(paths)
    for name, following in zip(names, [*(str(aside / each) for each in names[1:]), ""], strict=True):
        last = ("rename", following or str(paths.upgrade / "gone"))
        synced = journal.between(("rename", str(paths.data / name)), last)
        assert {str(aside), str(paths.data), str(copy)} <= set(synced), name
    gone = ("rename", str(paths.upgrade / "gone"))
    unmarked = ("unlink", str(snapshots.mark(paths)))
    assert str(paths.upgrade) in journal.between(gone, unmarked)
