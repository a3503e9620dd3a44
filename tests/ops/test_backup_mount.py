"""A data folder that is a mount, as in a container: what is in it changes places."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import disk
from appliance.runtime import swapping
from appliance.settings import HOME
from tests import disks
from tests.ops.command import appliance_command
from tests.running import Running


@pytest.fixture(scope="module")
def backup(appliance: Running, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("backups")
    call = ["backup", "create", "--folder", str(folder)]
    made = appliance_command(*call, data=appliance.paths.data, **_besides(appliance))
    assert made.returncode == 0, made.stderr
    return next(folder.glob("appliance-*")), appliance.paths.backup_key


def _besides(appliance: Running) -> dict[str, str]:
    return {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}


@pytest.fixture
def data() -> Iterator[Path]:
    """A disk of its own, with something on it."""
    with disks.mounted("900m") as folder:
        (folder / "secrets").mkdir(mode=0o700)
        (folder / "secrets" / "mine").write_text("mine")
        yield folder


def test_it_is_restored_within_and_runs(appliance: Running, backup: tuple[Path, Path], data: Path) -> None:
    path, key = backup
    call = ["backup", "restore", str(path), "--key", str(key)]
    refused = appliance_command(*call, data=data)
    assert (refused.returncode, "--replace" in refused.stderr) == (2, True)
    restored = appliance_command(*call, "--replace", data=data)
    assert restored.returncode == 0, restored.stderr
    (before,) = data.glob("before-*")
    assert str(before) in restored.stdout
    assert (before / "secrets" / "mine").read_text() == "mine"
    assert not (data / "secrets" / "mine").exists()
    second = Running(data)
    second.log = data / "logs" / "up.log"
    second.start()
    try:
        second.login(password=appliance.admin_password)
    finally:
        assert second.stop() == 0


@pytest.mark.parametrize("moment", [0.7, 2.0, 3.0, 4.0])
def test_killed_it_is_as_it_was_or_as_it_is_to_be(
    backup: tuple[Path, Path], data: Path, moment: float
) -> None:
    path, key = backup
    arguments = ["backup", "restore", str(path), "--key", str(key), "--replace"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "APPLIANCE_DATA": str(data)}
    call = [sys.executable, "-P", "-m", "appliance", *arguments]
    child = subprocess.Popen(call, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=moment)
    child.kill()
    child.communicate()
    if not swapping.is_begun(data) and not list(data.glob("before-*")):
        assert (data / "secrets" / "mine").read_text() == "mine"
    again = appliance_command(*arguments, data=data)
    assert again.returncode == 0, again.stderr
    assert (data / "secrets" / "jwt_keys.json").is_file()
    assert any((each / "secrets" / "mine").is_file() for each in data.glob("before-*"))
    assert not (data / swapping.DRAFT).exists()


def test_a_start_finishes_what_was_begun(appliance: Running, backup: tuple[Path, Path], data: Path) -> None:
    """Killed between its mark and its end: here the mark is set, and nothing has moved."""
    path, key = backup
    call = ["backup", "restore", str(path), "--key", str(key), "--replace"]
    assert appliance_command(*call, data=data).returncode == 0
    (before,) = data.glob("before-*")
    before.rename(data / "kept")
    draft = data / swapping.DRAFT
    draft.mkdir(mode=0o700)
    for entry in swapping.contents(data):
        if entry.name != "kept":
            entry.rename(draft / entry.name)
    (data / "kept" / "secrets").rename(data / "secrets")
    swapping.begin(data, "then")
    second = Running(data)
    second.start()
    try:
        second.login(password=appliance.admin_password)
        assert (data / "before-then" / "secrets" / "mine").is_file()
        assert "finished a restore that was broken off" in second.log.read_text()
    finally:
        assert second.stop() == 0
        second.log.unlink()


def test_a_damaged_one_is_refused_before_anything_is_touched(backup: tuple[Path, Path], data: Path) -> None:
    path, key = backup
    cut = data.with_name(f"{data.name}.age")
    cut.write_bytes(path.read_bytes()[:-1])
    try:
        call = ["backup", "restore", str(cut), "--key", str(key), "--replace"]
        assert appliance_command(*call, data=data).returncode == 2
    finally:
        cut.unlink()
    assert {str(each.relative_to(data)) for each in data.rglob("*")} == {"secrets", "secrets/mine"}


def test_a_folder_of_the_same_disk_that_is_mounted_is_a_mount_too(tmp_path: Path) -> None:
    place = tmp_path / "a place"
    (tmp_path / "other").mkdir()
    place.mkdir()
    assert not disk.is_mount(place)
    call = ["mount", "--bind", str(tmp_path / "other"), str(place)]
    if subprocess.run(call, capture_output=True, check=False).returncode != 0:
        pytest.skip("no mounts here")
    try:
        assert disk.is_mount(place)
        assert not disk.is_mount(tmp_path)
    finally:
        subprocess.run(["umount", str(place)], check=True)
