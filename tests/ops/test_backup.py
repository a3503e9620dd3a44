"""`appliance backup`: what is acknowledged when one is begun comes back; its key alone opens it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import bson
import httpx
import pyrage
import pytest

from appliance import disk
from appliance.backups import archive, book, keys
from appliance.backups.archive import Damaged
from appliance.settings import HOME
from appliance.stores import dumps
from tests import disks
from tests.api.forms import publish, submit, walk
from tests.api.test_batch import batch, name
from tests.api.uploads import PNG, answer_with, form_with_files, uploaded
from tests.ops.command import appliance_command
from tests.running import Running, running
from tests.runtime.servers import temporary_data, until


def command(appliance: Running, *arguments: str) -> subprocess.CompletedProcess[str]:
    return appliance_command("backup", *arguments, data=appliance.paths.data, **appliance.environ)


@contextlib.contextmanager
def submitting(client: httpx.Client, form_id: str) -> Iterator[list[str]]:
    """The ids of what is acknowledged meanwhile, in their order."""
    over, acknowledged = threading.Event(), list[str]()

    def work() -> None:
        while not over.is_set():
            answer = submit(client, form_id, words="as the backup is made")
            acknowledged.append(answer.json()["response_id"])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield acknowledged
    finally:
        over.set()
        thread.join()


def all_ids(client: httpx.Client, form_id: str) -> set[str]:
    rows = walk(client, f"/api/v1/forms/{form_id}/responses", "responses", limit=100)
    return {row["response_id"] for row in rows}


def test_what_was_acknowledged_comes_back_on_an_empty_folder(tmp_path: Path) -> None:
    with running() as appliance, appliance.client(appliance.login()) as admin:
        form_id = publish(admin)
        other = form_with_files(admin)
        photo = uploaded(admin, other)
        assert answer_with(admin, other, photos=[photo]).status_code == 201
        with submitting(admin, form_id) as acknowledged:
            until(lambda: len(acknowledged) >= 20, 30, "responses come in")
            before = list(acknowledged)
            made = command(appliance, "create", "--json", "--folder", str(tmp_path))
            assert made.returncode == 0, made.stderr
            assert len(acknowledged) > len(before), "nobody waited for it"
        told = json.loads(made.stdout)
        assert (told["files"], told["missing_files"]) == (1, [])
        assert appliance.stop() == 0
        key = tmp_path / "key"
        key.write_text(command(appliance, "key").stdout)
        with temporary_data() as data:
            data.parent.mkdir(parents=True, exist_ok=True)
            second = Running(data)
            restored = command(second, "restore", told["path"], "--key", str(key))
            assert restored.returncode == 0, restored.stderr
            second.start()
            try:
                with second.client(second.login(password=appliance.admin_password)) as client:
                    found = all_ids(client, form_id)
                    assert set(before) <= found <= set(acknowledged)
                    number = len(found)
                    submit(client, form_id)
                    assert len(all_ids(client, form_id)) == number + 1
                    assert client.get(photo["content"]).content == PNG
                verified = appliance_command("audit", "verify", data=data, **second.environ)
                assert verified.returncode == 0, verified.stdout
            finally:
                second.stop()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder that has something in it, alone in its place."""
    folder = tmp_path / "place" / "data"
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "secrets" / "mine").write_text("mine")
    return folder


@pytest.fixture(scope="module")
def backup(appliance: Running, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One of the session's appliance, and its key."""
    made = command(appliance, "create", "--json", "--folder", str(tmp_path_factory.mktemp("backups")))
    assert made.returncode == 0, made.stderr
    return Path(json.loads(made.stdout)["path"]), appliance.paths.backup_key


def test_other_tools_read_it(backup: tuple[Path, Path], tmp_path: Path) -> None:
    path, key = backup
    opened = tmp_path / "opened"
    pyrage.decrypt_file(str(path), str(opened), [keys.read(key)])
    listed = subprocess.run(["tar", "--zstd", "-tf", opened], capture_output=True, text=True, check=True)
    names = listed.stdout.split()
    assert names[-1] == "manifest.json"
    assert "secrets/jwt_keys.json" in names
    assert any(name.startswith("database/users/") for name in names)


def test_a_damaged_one_is_refused_before_anything_is_touched(
    backup: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    path, key = backup
    whole = path.read_bytes()
    stranger = tmp_path / "stranger"
    stranger.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    wrongs = {
        "cut": whole[: len(whole) // 2],
        "without its end": whole[:-1],
        "changed": whole[:-500] + bytes([whole[-500] ^ 1]) + whole[-499:],
        "longer": whole + b"x",
        "empty": b"",
        "no backup": b"PK" * 1000,
    }
    file = tmp_path / "wrong.tar.zst.age"
    for what, content in wrongs.items():
        file.write_bytes(content)
        refused = appliance_command("backup", "restore", str(file), "--key", str(key), "--replace", data=data)
        assert refused.returncode == 2, (what, refused.stdout)
        assert str(file) in refused.stderr, (what, refused.stderr)
    for arguments, word in (
        (["restore", str(path), "--key", str(stranger), "--replace"], "another key"),
        (["restore", str(path), "--key", str(key)], "--replace"),
        (["restore", str(tmp_path / "nobody"), "--key", str(key), "--replace"], "there is no file"),
        (["verify", str(path), "--key", str(tmp_path / "nobody")], "--key FILE"),
        (["verify", str(path), "--key", str(data / "secrets" / "mine")], "AGE-SECRET-KEY-1"),
    ):
        refused = appliance_command("backup", *arguments, data=data)
        assert (refused.returncode, word in refused.stderr) == (2, True), refused.stderr
    assert {each.name for each in data.parent.iterdir()} == {"data"}
    assert {str(each.relative_to(data)) for each in data.rglob("*")} == {"secrets", "secrets/mine"}


def test_one_that_is_killed_leaves_nothing_that_the_next_does_not_remove(
    appliance: Running, tmp_path: Path
) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    call = [sys.executable, "-P", "-m", "appliance", "backup", "create", "--folder", str(tmp_path)]
    child = subprocess.Popen(call, env=environ, stderr=subprocess.PIPE)
    until(lambda: any(tmp_path.glob(".*.new")), 30, "it is being written")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not list(tmp_path.glob("appliance-*"))
    assert command(appliance, "create", "--folder", str(tmp_path)).returncode == 0
    assert len(list(tmp_path.glob("*appliance-*"))) == 1
    left = {each.name for each in appliance.paths.backups.iterdir()}
    assert left == {".lock", ".book.lock", book.FILE}


@pytest.mark.parametrize("moment", [0.5, 1.5, 2.5, 4.0, 6.0])
def test_a_restore_that_is_killed_leaves_what_was_there(
    backup: tuple[Path, Path], data: Path, moment: float
) -> None:
    path, key = backup
    arguments = ["restore", str(path), "--key", str(key), "--replace"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "APPLIANCE_DATA": str(data)}
    call = [sys.executable, "-P", "-m", "appliance", "backup", *arguments]
    child = subprocess.Popen(call, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.communicate(timeout=moment)
    child.kill()
    child.communicate()
    if child.returncode == -signal.SIGKILL:
        assert [each.name for each in data.rglob("*")] == ["secrets", "mine"]
    again = appliance_command("backup", *arguments, data=data)
    assert again.returncode == 0, again.stderr
    assert (data / "secrets" / "jwt_keys.json").is_file()
    kept = [each for each in data.parent.iterdir() if each.name.startswith("data.before-")]
    assert any((each / "secrets" / "mine").is_file() for each in kept)
    assert not data.with_name(".data.restoring").exists()


def test_a_tally_is_of_the_documents_and_not_of_their_order() -> None:
    documents = [bson.encode({"_id": number, "text": "x" * number}) for number in range(9)]
    one, other, third = dumps.Counting(), dumps.Counting(), dumps.Counting()
    one.add(b"".join(documents))
    for document in documents[::-1]:
        other.add(document)
    third.add(b"".join(documents[:-1]))
    assert one.tally() == other.tally() != third.tally()


def test_all_that_is_there_is_read_and_read_once(appliance: Running) -> None:
    with appliance.client(appliance.login()) as client:
        few, many = [publish(client) for _ in range(12)], publish(client)
        for form_id in few:
            submit(client, form_id)
        assert {each["status"] for each in batch(client, many, *map(name, range(1_100)))} == {201}
    with appliance.database() as database:
        db = database.get_default_database("appliance")
        with dumps.moment(database, is_embedded=True) as session:
            for each in dumps.collections(db):
                read = [row["_id"] for raw in dumps.parts(db, each, session) for row in bson.decode_all(raw)]
                whole = [row["_id"] for row in db[each].find({}, {"_id": 1}, session=session)]
                assert sorted(map(str, read)) == sorted(map(str, whole)), each
            assert dumps.about(db, session) >= 1_112


def test_the_archive_holds_what_its_manifest_says(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "one"
    with archive.writing(path, identity.to_public()) as writer:
        writer.add("a/b", b"x" * 3_000_000)
        writer.finish({"more": 1, "collections": {}})
    assert archive.check(path, identity)["more"] == 1
    with archive.writing(path, identity.to_public()) as writer:
        writer.add("a/b", b"content")
        writer.members["a/b"] = archive.Member(7, "0" * 64)
        writer.finish({"collections": {}})
    with pytest.raises(Damaged, match="a/b is not what"):
        archive.check(path, identity)
    with pytest.raises(ZeroDivisionError):
        _broken_off(tmp_path / "two", identity)
    assert {each.name for each in tmp_path.iterdir()} == {"one"}


def test_what_reads_back_as_something_else_takes_no_name(tmp_path: Path) -> None:
    """The disk lost a piece of it after it was written: as late as at its manifest."""
    identity = pyrage.x25519.Identity.generate()
    path = tmp_path / "one"
    asked: list[str] = []
    with pytest.raises(Damaged), _spoilt(archive.draft_of(path)):  # noqa: PT012
        with archive.writing(
            path, identity.to_public(), reader=identity, is_whole=lambda: asked.append("whole")
        ) as writer:
            writer.add("a", os.urandom(3_000_000))
            writer.finish({"collections": {}})
    assert asked == [] and list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def _spoilt(draft: Path) -> Iterator[None]:
    """A byte of the file changes as often as it is written, as on a disk that is going to fail."""
    over = threading.Event()

    def spoil() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), draft.open("r+b") as file:
                file.seek(100_000)
                file.write(b"x" * 16)

    thread = threading.Thread(target=spoil)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("size", [3_000, 6_000, 60_000, 150_000])
@pytest.mark.parametrize("left", [0, 5_000, 50_000])
def test_on_a_full_disk_nothing_is_left_of_it(left: int, size: int) -> None:
    if left > size:
        pytest.skip("there is room for it")
    with disks.mounted("200k") as folder:
        (folder / "filler").write_bytes(b"x" * (disk.free_bytes(folder) - left))
        with pytest.raises(OSError, match="No space left"):
            _write(folder / "one", size)
        assert [each.name for each in folder.iterdir()] == ["filler"]


def _write(path: Path, size: int) -> None:
    identity = pyrage.x25519.Identity.generate()
    with archive.writing(path, identity.to_public(), reader=identity) as writer:
        writer.add("a", os.urandom(size))
        writer.finish({"collections": {}})


def _broken_off(path: Path, identity: pyrage.x25519.Identity) -> None:
    with archive.writing(path, identity.to_public()) as writer:
        writer.add("a/b", b"content")
        raise ZeroDivisionError


def test_a_restore_that_was_killed_between_swap_and_names_keeps_what_was_there(
    backup: tuple[Path, Path], data: Path
) -> None:
    """The folder beside is then what was there before, and no draft."""
    path, key = backup
    arguments = ["restore", str(path), "--key", str(key), "--replace"]
    assert appliance_command("backup", *arguments, data=data).returncode == 0
    (before,) = data.parent.glob("data.before-*")
    before.rename(data.with_name(".data.restoring"))
    (data / ".restoring").touch()
    assert appliance_command("backup", *arguments, data=data).returncode == 0
    kept = {each for each in data.parent.glob("data.before-*") if (each / "secrets" / "mine").is_file()}
    assert len(kept) == 1 and len(list(data.parent.glob("data.before-*"))) == 2
    assert not (data / ".restoring").exists() and not (data.with_name(".data.restoring")).exists()


def test_the_backups_that_there_were_are_there_after_a_restore(backup: tuple[Path, Path], data: Path) -> None:
    path, key = backup
    (data / "backups").mkdir(mode=0o700)
    (data / "backups" / path.name).write_bytes(path.read_bytes())
    call = ["restore", path.name, "--key", str(key), "--replace"]
    restored = appliance_command("backup", *call, data=data)
    assert restored.returncode == 0, restored.stderr
    assert path.name in appliance_command("backup", "list", data=data).stdout


def test_what_was_written_by_a_key_before_still_opens(tmp_path: Path) -> None:
    path, key = tmp_path / "one", tmp_path / "key"
    for turn in range(3):
        with archive.writing(path, keys.ensure(key).to_public()) as writer:
            writer.add("a/b", b"content")
            writer.finish({"turn": turn, "collections": {}})
        before = keys.read(key)
        keys.rotate(key)
        assert str(keys.read(key)) != str(before)
        with pytest.raises(Damaged, match="another key's"):
            archive.check(path, keys.read(key))
        assert archive.check(path, *keys.read_all(key))["turn"] == turn
    assert len(keys.read_all(key)) == 4
    assert key.stat().st_mode & 0o777 == 0o600
