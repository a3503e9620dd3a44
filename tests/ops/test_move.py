"""`appliance move`: the data folder elsewhere, whole; what is not right is told before anything stops."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import settings
from appliance.errors import CannotStart
from appliance.ops import move, moving, service
from tests.runtime.servers import temporary_data


@pytest.fixture
def place() -> Iterator[Path]:
    with temporary_data() as data:
        yield data.parent


@pytest.fixture
def old(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that a .env names, whose appliance does not run."""
    data = place / "data"
    for name in ("secrets", "mongo/data", "run", "empty"):
        (data / name).mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    (data / "secrets" / "key").write_text("secret")
    (data / "secrets" / "key").chmod(0o600)
    (data / "mongo" / "data" / "rows").write_bytes(os.urandom(300_000))
    (data / "run" / "lock").write_text("")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(data / "run" / "redis.sock"))
    dotenv = place / "checkout" / ".env"
    dotenv.parent.mkdir()
    dotenv.write_text(f"# mine\nAPPLIANCE_DATA={data}\nAPPLIANCE_HTTP_PORT=8081\n")
    dotenv.chmod(0o640)
    monkeypatch.setattr(settings, "HOME", dotenv.parent)
    monkeypatch.setattr(service, "HOME", dotenv.parent)
    monkeypatch.delenv("APPLIANCE_DATA", raising=False)
    return data


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content by path."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
        if not path.is_socket()
    }


def test_everything_arrives_and_the_setting_names_it(old: Path, place: Path) -> None:
    before, new = tree(old), place / "disk" / "new"
    assert move.run(new) == 0
    assert tree(new) == before == tree(old)
    dotenv = place / "checkout" / ".env"
    assert dotenv.read_text() == f"# mine\nAPPLIANCE_DATA={new}\nAPPLIANCE_HTTP_PORT=8081\n"
    assert dotenv.stat().st_mode & 0o777 == 0o640
    assert settings.load().data == new


def test_what_a_killed_move_left_is_begun_anew(old: Path, place: Path) -> None:
    new = place / "new"
    new.mkdir(mode=0o700)
    (new / moving.NAME).write_text(f"{old}\n")
    (new / f".{moving.NAME}.4711.tmp").write_text("half a mark")
    (new / "half").write_text("of it")
    move.run(new)
    assert tree(new) == tree(old)


def test_a_disk_that_changes_what_it_is_given_is_told(
    old: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copyfile

    def spoil(path: Path, to: Path) -> None:
        real(path, to)
        if path.name == "rows":
            with to.open("r+b") as file:
                file.seek(100_000)
                file.write(b"\0\0\0\0")

    monkeypatch.setattr(shutil, "copyfile", spoil)
    with pytest.raises(CannotStart, match=r"rows differs from .*: the disk is not sound"):
        move.run(place / "new")
    assert settings.load().data == old


def test_one_that_runs_is_not_moved(old: Path, place: Path) -> None:
    with (old / "run" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.flush()
        with pytest.raises(CannotStart, match=r"runs as process 4711; next: stop it \(kill 4711\)"):
            move.run(place / "new")
    assert settings.load().data == old


@pytest.mark.parametrize(
    "where, told",
    [
        ("data/inside", "lie in each other"),
        (".", "lie in each other"),
        ("nowhere/../data/inside", "lie in each other"),
        ("link/inside", "lie in each other"),
        ("full", "is not empty"),
        ("marked", "is not empty"),
        ("long" * 30, "sockets below it"),
        ("wrong'quote", "must not hold"),
        ("blank ", "blank at an end"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused(old: Path, place: Path, where: str, told: str) -> None:
    (place / "full").mkdir()
    (place / "full" / "thesis.txt").write_text("x")
    (place / "marked").mkdir(mode=0o700)
    (place / "marked" / "thesis.txt").write_text("x")
    (place / "marked" / moving.NAME).write_text("/some/other/folder\n")
    (place / "link").symlink_to(old)
    before = tree(place)
    with pytest.raises(CannotStart, match=told):
        move.run(place / where)
    assert tree(place) == before


def test_a_setting_that_it_cannot_change_is_told(
    old: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_DATA", str(old))
    with pytest.raises(CannotStart, match=r"comes from environment, .* next: put the line APPLIANCE_DATA="):
        move.run(place / "new")


def test_a_link_is_refused_before_anything_is_made(old: Path, place: Path) -> None:
    (old / "empty" / "link").symlink_to(place)
    with pytest.raises(CannotStart, match="empty/link is a link, which cannot be moved"):
        move.run(place / "new")
    assert not (place / "new").exists()


def test_a_disk_without_room_is_refused(old: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(move, "RESERVE_BYTES", 2**62)
    with pytest.raises(CannotStart, match="MiB are free on its disk"):
        move.run(place / "new")
    assert not (place / "new").exists()


def test_all_is_on_the_disk_before_the_setting_names_it(
    old: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark first, then each file and folder, then the setting."""
    real, synced = os.fsync, list[Path]()

    def fsync(descriptor: int) -> None:
        real(descriptor)
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink())

    monkeypatch.setattr(os, "fsync", fsync)
    new = place / "disk" / "new"
    move.run(new)
    assert synced[0].name.startswith(f".{moving.NAME}.")
    assert synced[1:4] == [new, place / "disk", place]
    setting = synced.index(place / "checkout" / "..env.new")
    assert {new, *(path for path in new.rglob("*"))} <= set(synced[4:setting])
