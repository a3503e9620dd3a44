"""A backup becomes the database of MONGODB_URI, and comes back; the server outside is SecantusDB."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pymongo
import pytest

from appliance import addresses, settings
from appliance.addresses import DATABASE, Paths, read_line, user_of
from appliance.ops import restoring
from appliance.runtime import folders, mongo
from appliance.runtime.unfinished import COLLECTION
from appliance.settings import HOME
from appliance.stores import dumps
from tests.api.forms import publish, submit
from tests.ops.command import appliance_command
from tests.ops.test_restoring import DOCUMENTS, planted
from tests.running import Running, unique
from tests.runtime.servers import operator_environ, temporary_data, until
from tests.runtime.test_stores import launched, mongo_answers

Database = pymongo.database.Database[dict[str, Any]]


class Outside:
    """A server of somebody else's, and a database in it that is our own."""

    def __init__(self, paths: Paths) -> None:
        self._paths, self.name = paths, DATABASE

    @property
    def uri(self) -> str:
        owner = read_line(self._paths.mongo_password)
        uri = addresses.embedded_uri(self._paths, user_of(addresses.DATABASE_USER, owner), owner)
        return uri.replace(f"/{DATABASE}?", f"/{self.name}?")

    @contextlib.contextmanager
    def open(self) -> Iterator[Database]:
        with pymongo.MongoClient[dict[str, Any]](self.uri) as client:
            yield client.get_default_database()

    def collections(self) -> set[str]:
        with self.open() as db:
            return {name for name in dumps.collections(db) if db[name].find_one({}) is not None}


@pytest.fixture(scope="module")
def server() -> Iterator[Paths]:
    with temporary_data() as data, ExitStack() as stack:
        environ = operator_environ(data)
        chosen, paths = settings.load(environ), Paths(data)
        folders.create(paths)
        folders.create_secrets(paths, chosen)
        mongo.ensure_port(paths)
        stack.enter_context(launched("mongo", environ))
        until(lambda: mongo_answers(chosen), 60)
        yield paths


@pytest.fixture
def outside(server: Paths) -> Iterator[Outside]:
    found = Outside(server)
    yield found
    with found.open() as db:
        for name in dumps.collections(db):
            db.drop_collection(name)


class Backup:
    def __init__(self, appliance: Running, path: Path, form_id: str, responses: int) -> None:
        self.path, self.form_id, self.responses = path, form_id, responses
        self.password, self.key = appliance.admin_password, appliance.paths.backup_key

    def restore(self, data: Path, *more: str, **environ: str) -> subprocess.CompletedProcess[str]:
        call = ["backup", "restore", str(self.path), "--key", str(self.key), *more]
        return appliance_command(*call, data=data, **environ)


@pytest.fixture(scope="module")
def backup(appliance: Running, tmp_path_factory: pytest.TempPathFactory) -> Backup:
    with appliance.client(appliance.login()) as admin:
        form_id = publish(admin)
        for _ in range(3):
            submit(admin, form_id, words=unique("answer"))
    folder = tmp_path_factory.mktemp("backups")
    call = ["backup", "create", "--json", "--folder", str(folder)]
    made = appliance_command(*call, data=appliance.paths.data, **_besides(appliance))
    assert made.returncode == 0, made.stderr
    return Backup(appliance, Path(json.loads(made.stdout)["path"]), form_id, 3)


def _besides(appliance: Running) -> dict[str, str]:
    return {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}


def responses(client: Any, backup: Backup) -> int:
    page = client.get(f"/api/v1/forms/{backup.form_id}/responses", params={"limit": 100}).json()
    return len(page["responses"])


@pytest.mark.parametrize("fault", DOCUMENTS)
def test_a_document_that_is_not_as_it_was_is_found_there_too(
    outside: Outside, backup: Backup, tmp_path: Path, fault: str
) -> None:
    wrong = planted(backup.path, backup.key, tmp_path / "wrong", DOCUMENTS[fault])
    call = ["backup", "restore", str(wrong), "--key", str(backup.key)]
    told = appliance_command(*call, data=tmp_path / "data", MONGODB_URI=outside.uri)
    assert (told.returncode, "is not what was backed up" in told.stderr) == (2, True), told.stderr
    assert outside.collections() == set() and not (tmp_path / "data").exists()


def test_there_and_back(outside: Outside, backup: Backup, tmp_path: Path) -> None:
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        restored = backup.restore(data, MONGODB_URI=outside.uri)
        assert restored.returncode == 0, restored.stderr
        assert "so is the database of MONGODB_URI" in restored.stdout
        inside = {path.name for path in (data / "mongo").iterdir()}
        assert inside <= {"level"}, "nothing embedded"
        assert COLLECTION not in outside.collections() >= {"users", "responses", "forms"}
        there = Running(data, MONGODB_URI=outside.uri)
        there.start()
        try:
            with there.client(there.login(password=backup.password)) as admin:
                assert responses(admin, backup) == backup.responses
                submit(admin, backup.form_id, words="only there")
            call = ["backup", "create", "--json", "--folder", str(tmp_path)]
            made = appliance_command(*call, data=data, **_besides(there))
            assert made.returncode == 0, made.stderr
        finally:
            assert there.stop() == 0
        again = backup.restore(data, "--replace", MONGODB_URI=outside.uri)
        assert (again.returncode, "is not empty: it has" in again.stderr) == (2, True), again.stderr

        path = json.loads(made.stdout)["path"]
        back = appliance_command("backup", "restore", path, "--replace", data=data)
        assert back.returncode == 0, back.stderr
        here = Running(data)
        here.start()
        try:
            with here.client(here.login(password=backup.password)) as admin:
                assert responses(admin, backup) == backup.responses + 1
        finally:
            assert here.stop() == 0


def test_what_holds_anything_is_refused_and_left(outside: Outside, backup: Backup, tmp_path: Path) -> None:
    with outside.open() as db:
        db.theirs.insert_one({"_id": 1})
    refused = backup.restore(tmp_path / "data", MONGODB_URI=outside.uri)
    assert refused.returncode == 2
    assert "is not empty: it has theirs; next: name another one" in refused.stderr
    assert outside.collections() == {"theirs"}
    assert not (tmp_path / "data").exists()


# Each is the last thing that the restore does.
STEPS = {
    "filling": "dumps.insert = last(dumps.insert)",
    "filled": "restoring._differing_files = first(restoring._differing_files)",
    "safe": "restoring._take_over = first(restoring._take_over)",
    "taken": "restoring._finish = second(restoring._finish)",
}
KILLED = """
import os, signal, sys
from appliance.ops import restoring
from appliance.stores import dumps
from appliance.cli import main

def die(): os.kill(os.getpid(), signal.SIGKILL)

def last(work):
    def run(*given, **more):
        work(*given, **more); die()
    return run

def first(work):
    return lambda *given, **more: die()

def second(work):
    times = []
    def run(*given, **more):
        times.append(1)
        return die() if len(times) == 2 else work(*given, **more)
    return run

"""


@pytest.mark.parametrize("step", STEPS)
def test_killed_it_is_marked_refused_by_a_start_and_begun_anew(
    outside: Outside, backup: Backup, step: str
) -> None:
    with temporary_data() as data:
        data.parent.mkdir(parents=True, exist_ok=True)
        call = ["backup", "restore", str(backup.path), "--key", str(backup.key), "--replace"]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "APPLIANCE_DATA": str(data)}
        environ["MONGODB_URI"] = outside.uri
        code = f"{KILLED}{STEPS[step]}\nmain({call!r})"
        ended = subprocess.run(
            [sys.executable, "-P", "-c", code], env=environ, capture_output=True, text=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert COLLECTION in outside.collections()
        started = appliance_command("up", data=data, **_besides(Running(data, MONGODB_URI=outside.uri)))
        assert started.returncode == 2
        assert "has not come to its end; next: wait for it, or the same again" in started.stderr
        with outside.open() as db:
            db.of_the_attempt_before.insert_one({"_id": 1})
        again = backup.restore(data, "--replace", MONGODB_URI=outside.uri)
        assert again.returncode == 0, again.stderr
        assert outside.collections().isdisjoint({COLLECTION, "of_the_attempt_before"})
        assert not data.with_name(f".{data.name}.restoring").exists()


def test_what_arrives_otherwise_is_told_and_the_database_is_empty_again(
    outside: Outside, backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One document less, as a server would lose it."""
    insert = dumps.insert
    lost: list[str] = []

    def lossy(db: Database, name: str, raw: bytes, *, is_kept: bool = True) -> int:
        count = insert(db, name, raw, is_kept=is_kept)
        if name == "responses" and not lost:
            db[name].delete_one({})
            lost.append(name)
        return count

    monkeypatch.setattr(dumps, "insert", lossy)
    environ = {"APPLIANCE_DATA": str(tmp_path / "data"), "MONGODB_URI": outside.uri}
    chosen = settings.load(environ, dotenv=Path("/nonexistent"))
    from appliance.backups import keys
    from appliance.backups.archive import Damaged

    with pytest.raises(Damaged, match="responses is not what was backed up"):
        restoring.restore(chosen, backup.path, keys.read_all(backup.key), lambda done, total: None)
    assert lost
    assert outside.collections() == set()
    assert not (tmp_path / "data").exists()
