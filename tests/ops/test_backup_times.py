"""Backups and drills as the scheduler starts them: killed, on a full disk, beside another; what is told."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from appliance import processes
from appliance.addresses import Paths
from appliance.backups import archive, book, keys
from appliance.backups.book import SUFFIX, Book
from appliance.disk import free_bytes
from appliance.ops import backup_child
from appliance.services import backups
from appliance.settings import HOME
from tests import disks
from tests.api.uploads import answer_with, form_with_files, uploaded
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

KILLS = 4
LONGEST = 300
"""Seconds that a drill may take while others work on the machine."""


class Instance:
    """The session's appliance with a folder for backups of a test's own."""

    def __init__(self, appliance: Running, folder: Path, **environ: str) -> None:
        self.own, self.folder = appliance.paths.backups, folder
        self.environ = {**appliance.environ, "BACKUP_FOLDER": str(folder), **environ}
        self.settings = replace(appliance.settings, backup_folder=folder)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **self.environ}
        call = [sys.executable, "-P", "-m", "appliance", "backup", *arguments]
        return subprocess.run(call, env=environ, capture_output=True, text=True, timeout=LONGEST, check=False)

    def begin(self, kind: str) -> subprocess.Popen[bytes]:
        """As the scheduler does."""
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **self.environ}
        call = [sys.executable, "-P", "-m", backup_child.__name__, kind, str(os.getpid())]
        return subprocess.Popen(call, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run(self, kind: str) -> tuple[int, str]:
        child = self.begin(kind)
        told, _ = child.communicate(timeout=LONGEST)
        return child.returncode, told.decode()

    @property
    def book(self) -> Book:
        return book.read(self.own)

    def archives(self) -> list[Path]:
        return sorted(self.folder.glob(f"appliance-*{SUFFIX}"))

    def left(self) -> list[str]:
        """Of what has no name of an archive."""
        mine = {".lock", ".book.lock", book.FILE}
        found = [*self.folder.iterdir(), *self.own.iterdir()]
        return [each.name for each in found if each.name not in mine and each not in self.archives()]


@pytest.fixture
def instance(appliance: Running, tmp_path: Path) -> Iterator[Instance]:
    """Its book begins empty, and is put back."""
    path = appliance.paths.backups / book.FILE
    before = path.read_bytes() if path.exists() else None
    path.unlink(missing_ok=True)
    (tmp_path / "kept").mkdir()
    yield Instance(appliance, tmp_path / "kept")
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)


def test_it_is_made_read_back_tried_out_and_told(instance: Instance, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    assert answer_with(cast.alice, form_id, photos=[uploaded(cast.alice, form_id)]).status_code == 201
    assert "there is no backup" in instance.command("list").stdout
    assert instance.command("drill").returncode == 2
    assert instance.run("backup")[0] == 0
    (path,) = instance.archives()
    assert instance.book.backup.archive == str(path)
    assert instance.book.backup.bytes == path.stat().st_size
    assert instance.run("drill")[0] == 0
    drilled = instance.book.drill
    assert (drilled.archive, drilled.failures) == (str(path), 0)
    assert drilled.responses == instance.book.backup.responses > 0
    listed = json.loads(instance.command("list", "--json").stdout)["backups"]
    assert [(each["path"], each["ours"], each["fault"]) for each in listed] == [(str(path), True, None)]
    assert listed[0]["drilled_at"] is not None
    by_hand = json.loads(instance.command("drill", str(path), "--json").stdout)
    assert by_hand["responses"] == drilled.responses
    assert by_hand["files"] > 0
    assert instance.left() == []


@pytest.mark.parametrize("kind", ["backup", "drill"])
def test_one_that_is_killed_leaves_nothing_that_counts(instance: Instance, kind: str) -> None:
    assert instance.run("backup")[0] == 0
    chance, noted = random.Random(kind), instance.book
    identity = keys.read(instance.settings.data / "secrets" / "backup_key")
    for _ in range(KILLS):
        child = instance.begin(kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.communicate(timeout=chance.uniform(0.4, 3.0))
        servers = processes.children(child.pid)
        child.kill()
        child.communicate()
        until(lambda ended=servers: not any(map(_lives, ended)), 5, "its database ends with it")  # type: ignore[misc]
        if child.returncode == -signal.SIGKILL:
            assert instance.archives(), "the one before, or the one that had taken its place"
            for path in instance.archives():
                archive.check(path, identity)
                assert str(path) in instance.book.archives
            assert instance.book.drill.succeeded_at == noted.drill.succeeded_at
    assert instance.run(kind)[0] == 0
    assert instance.left() == []


def _lives(pid: int) -> bool:
    found = processes.find_stat(pid)
    return found is not None and found.state != "Z"


def test_it_removes_what_is_not_kept_once_the_new_one_is_whole(instance: Instance) -> None:
    instance.environ |= {"BACKUP_KEEP_DAILY": "1", "BACKUP_KEEP_WEEKLY": "0"}
    assert instance.run("backup")[0] == 0
    (first,) = instance.archives()
    stranger = instance.folder / f"appliance-2020-01-01T00-00-00Z{SUFFIX}"
    stranger.write_bytes(b"of another one")
    assert instance.command("create").returncode == 0
    assert first in instance.archives(), "by hand nothing is removed"
    assert instance.run("backup")[0] == 0
    assert first not in instance.archives()
    assert len(instance.archives()) == 2 and stranger.exists()
    told = instance.command("prune", "--json")
    assert json.loads(told.stdout) == {"removed": []}


def test_two_at_once(instance: Instance) -> None:
    """By hand it refuses; at its time it waits."""
    with backups.alone(Paths(instance.settings.data)):
        for words in (["create"], ["prune"]):
            refused = instance.command(*words)
            assert (refused.returncode, "another backup" in refused.stderr) == (2, True)
        child = instance.begin("backup")
        with pytest.raises(subprocess.TimeoutExpired):
            child.communicate(timeout=3)
    child.communicate(timeout=LONGEST)
    assert child.returncode == 0
    with backups.alone(Paths(instance.settings.data)):
        refused = instance.command("drill")
        assert (refused.returncode, "wait for its end" in refused.stderr) == (2, True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with disks.mounted("400k") as folder:
        yield folder


def test_on_a_full_disk_it_fails_and_the_older_ones_stay(instance: Instance, small_disk: Path) -> None:
    instance.folder = small_disk
    instance.environ |= {"BACKUP_FOLDER": str(small_disk), "BACKUP_KEEP_DAILY": "1"}
    assert instance.run("backup")[0] == 0, "there is room for one"
    (first,) = instance.archives()
    half = first.stat().st_size // 2
    (small_disk / "filler").write_bytes(b"x" * (free_bytes(small_disk) - half))
    status, told = instance.run("backup")
    assert (status, "No space left" in told) == (1, True), told
    assert (instance.archives(), instance.left()) == ([first], ["filler"])
    assert "No space left" in (instance.book.backup.error or "")
    by_hand = instance.command("create")
    assert (by_hand.returncode, "No space left" in by_hand.stderr) == (2, True)
    assert instance.command("verify", str(first)).returncode == 0
    (small_disk / "filler").unlink()
    assert instance.run("backup")[0] == 0
    assert (len(instance.archives()), instance.book.backup.failures) == (1, 0)


def test_a_folder_that_is_not_there_is_not_made(instance: Instance) -> None:
    """Where a disk is not mounted, backups would fill the one that they are to outlive."""
    instance.folder.rmdir()
    status, _ = instance.run("backup")
    assert status == 1
    assert "mount its disk" in (instance.book.backup.error or "")
    assert not instance.folder.exists()
    instance.folder.mkdir()


def test_a_damaged_one_fails_its_drill_and_a_wrong_key_is_no_damage(
    instance: Instance, tmp_path: Path
) -> None:
    assert instance.run("backup")[0] == 0
    (path,) = instance.archives()
    key = tmp_path / "key"
    key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    refused = instance.command("drill", str(path), "--key", str(key))
    assert (refused.returncode, "another key" in refused.stderr) == (2, True)
    assert instance.book.drill.failures == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-300] + bytes([whole[-300] ^ 1]) + whole[-299:])
    assert instance.run("drill")[0] == 1
    noted = instance.book
    assert (noted.drill.failures, noted.drill.failed_archive) == (1, str(path))
    assert noted.archives[str(path)].fault == noted.drill.error
    assert "does not open" in instance.command("list").stdout
    path.write_bytes(whole)
    assert instance.command("verify", str(path)).returncode == 0
    assert instance.book.archives[str(path)].fault is None
    assert instance.run("drill")[0] == 0
    assert instance.book.drill.failures == 0
