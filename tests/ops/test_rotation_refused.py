"""`secrets rotate` where it cannot write: a line says where and what to do, and what was there works on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import disk
from appliance.addresses import Paths
from appliance.backups import keys
from appliance.security import key_files, keyring
from tests import disks
from tests.ops.command import appliance_command

NAMES = ("jwt", "cursors", "webhooks", "backup")


def make(data: Path) -> None:
    """What is ours, as after a start."""
    paths = Paths(data)
    paths.secrets.mkdir(mode=0o700)
    keyring.open_keyring(paths.jwt_keys, None)
    key_files.open_keys(paths.cursor_key)
    key_files.open_keys(paths.webhook_key)
    keys.ensure(paths.backup_key)


@contextmanager
def unchangeable(path: Path) -> Iterator[None]:
    """For root too."""
    told = subprocess.run(["chattr", "+i", str(path)], capture_output=True, text=True, check=False)
    if told.returncode != 0:
        pytest.skip(f"no file can be made so here: {told.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


def refused(data: Path, name: str, word: str) -> None:
    told = appliance_command("secrets", "rotate", name, data=data)
    assert (told.returncode, "Traceback" in told.stderr) == (2, False), told.stderr
    assert word in told.stderr and str(data / "secrets") in told.stderr and "; next: " in told.stderr
    assert f"secrets rotate {name}" in told.stderr


@pytest.mark.parametrize("name", NAMES)
def test_on_a_full_disk(name: str) -> None:
    with disks.mounted("200k") as data:
        make(data)
        before = {path.name: path.read_bytes() for path in (data / "secrets").iterdir()}
        (data / "filler").write_bytes(b"x" * disk.free_bytes(data))
        refused(data, name, "No space left on device")
        after = {path.name: path.read_bytes() for path in (data / "secrets").iterdir()}
        assert before.items() <= after.items()
        (data / "filler").unlink()
        assert appliance_command("secrets", "rotate", name, data=data).returncode == 0


def test_a_file_that_nobody_may_change(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o700)
    path = tmp_path / "secrets" / "backup_key"
    before = keys.ensure(path)
    with unchangeable(path):
        refused(tmp_path, "backup", "Operation not permitted")
    assert str(keys.read(path)) == str(before)


def test_what_came_before_the_fault_holds(tmp_path: Path) -> None:
    """A folder is in the place of one of the files."""
    make(tmp_path)
    before = keyring.read(tmp_path / "secrets" / "jwt_keys.json")
    (tmp_path / "secrets" / "backup_key").unlink()
    (tmp_path / "secrets" / "backup_key").mkdir()
    refused(tmp_path, "all", "Is a directory")
    assert len(keyring.read(tmp_path / "secrets" / "jwt_keys.json")) > len(before)
