"""The embedded Redis and MongoDB as `launch` starts them, and their first starts cut short at every step."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pymongo
import pytest
import redis
from pymongo.errors import OperationFailure, PyMongoError
from redis.backoff import NoBackoff
from redis.retry import Retry

from appliance import processes
from appliance.addresses import Paths, mongodb_uri, read_line, redis_url
from appliance.errors import CannotStart
from appliance.runtime import mongo
from appliance.settings import Settings
from tests.runtime.servers import kill_group, until

NEVER = Retry(NoBackoff(), 0)
SECRETS = {
    "SECRET_KEY": "sesame-key-" * 4,
    "APPLIANCE_ADMIN_PASSWORD": "sesame-admin",
    "UNKNOWN_TOKEN": "sesame-token",
}


@contextmanager
def launched(name: str, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The program as the supervisor starts it: `appliance launch NAME`, which becomes it."""
    code = f"from appliance.runtime.launch import launch; launch({name!r})"
    child = subprocess.Popen([sys.executable, "-P", "-c", code], env=environ, process_group=0)
    try:
        yield child
    finally:
        kill_group(child.pid)  # the data folder goes too, so there is nothing to flush
        child.wait()


def redis_client(chosen: Settings) -> redis.Redis:
    return redis.Redis.from_url(redis_url(chosen), decode_responses=True, retry=NEVER)


def redis_answers(chosen: Settings) -> bool:
    try:
        with redis_client(chosen) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def mongo_client(uri: str) -> pymongo.MongoClient[dict[str, object]]:
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=500, connectTimeoutMS=500)


def mongo_answers(chosen: Settings) -> bool:
    try:
        with mongo_client(mongodb_uri(chosen)) as client:
            return bool(client["appliance"]["t"].estimated_document_count() >= 0)
    except PyMongoError:
        return False


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def known_to(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text() + command_line(pid)


# Redis


def test_redis_wants_the_password_and_opens_no_port(
    paths: Paths, chosen: Settings, environ: dict[str, str]
) -> None:
    with launched("redis", environ | SECRETS) as child:
        until(lambda: redis_answers(chosen))
        with redis.Redis(unix_socket_path=str(paths.redis_socket), retry=NEVER) as stranger:
            with pytest.raises(redis.AuthenticationError):
                stranger.ping()
        with redis_client(chosen) as client:
            got = client.config_get("*")
        assert got["port"] == "0"
        assert got["appendonly"] == "yes"
        assert got["appendfsync"] == "everysec"
        assert got["save"] == ""
        assert got["maxmemory"] == str(128 * 1024 * 1024)
        assert got["maxmemory-policy"] == "volatile-ttl"
        assert got["dir"] == str(paths.redis)
        assert paths.redis_socket.stat().st_mode & 0o777 == 0o700
        assert (paths.run / "redis.conf").stat().st_mode & 0o777 == 0o600
        assert "sesame" not in known_to(child.pid)
        assert read_line(paths.redis_password) not in known_to(child.pid)


def test_redis_comes_back_after_kill_9(paths: Paths, chosen: Settings, environ: dict[str, str]) -> None:
    with launched("redis", environ) as child:
        until(lambda: redis_answers(chosen))
        with redis_client(chosen) as client:
            client.set("kept", "1")
        child.kill()
        child.wait()
    assert paths.redis_socket.is_socket()  # stale
    with launched("redis", environ):
        until(lambda: redis_answers(chosen))
        with redis_client(chosen) as client:
            assert client.get("kept") == "1"


# MongoDB


@pytest.fixture
def port(paths: Paths) -> int:
    return mongo.ensure_port(paths)


def test_without_the_password_nothing_can_be_done(
    paths: Paths, chosen: Settings, environ: dict[str, str], port: int
) -> None:
    with launched("mongo", environ | SECRETS) as child:
        until(lambda: mongo_answers(chosen), 30)
        with mongo_client(mongodb_uri(chosen)) as client:
            client["appliance"]["t"].insert_one({"_id": 1})
        with mongo_client(f"mongodb://127.0.0.1:{port}/?directConnection=true") as stranger:
            attempts: list[Callable[[], object]] = [
                lambda: stranger["appliance"]["t"].find_one(),
                lambda: stranger["appliance"]["t"].insert_one({}),
                lambda: stranger["appliance"]["t"].drop(),
                lambda: stranger.list_database_names(),
                lambda: stranger.admin.command("createUser", "x", pwd="x", roles=["root"]),
                lambda: stranger.admin.command("usersInfo", 1),
                lambda: stranger.admin.command("shutdown"),
            ]
            for attempt in attempts:
                with pytest.raises(OperationFailure) as caught:
                    attempt()
                assert caught.value.code in (13, 59), caught.value  # Unauthorized; a command it does not have
        wrong = mongodb_uri(chosen).replace(read_line(paths.mongo_password), "wrong")
        with mongo_client(wrong) as stranger, pytest.raises(OperationFailure):
            stranger["appliance"]["t"].find_one()
        assert "sesame" not in known_to(child.pid)
        assert read_line(paths.mongo_password) not in known_to(child.pid)
        assert processes.listens(child.pid, port)


STEPS = {
    "the kind is recorded": "after('_check_kind')",
    "the open server runs": "after('await_port')",
    "the user exists": "after('_create_user')",
    "the server has stopped": "before('write_durably', 1)",
    "all is marked as done": "after('write_durably', 1)",
}

CUT = """
import os, signal
from appliance import settings
from appliance.addresses import Paths
from appliance.runtime import mongo

def replaced(name, when, skip):
    original, calls = getattr(mongo, name), [0]
    def step(*given, **named):
        calls[0] += 1
        die = calls[0] > skip
        if die and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*given, **named)
        if die:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(mongo, name, step)

def before(name, skip=0): replaced(name, "before", skip)
def after(name, skip=0): replaced(name, "after", skip)

chosen = settings.load()
STEP
mongo.prepare(Paths(chosen.data), chosen)
"""


@pytest.mark.parametrize("step", STEPS)
def test_a_first_start_killed_at_any_step_is_finished_by_the_next(
    paths: Paths, chosen: Settings, environ: dict[str, str], port: int, step: str
) -> None:
    cut = subprocess.run(
        [sys.executable, "-c", CUT.replace("STEP", STEPS[step])], env=environ, check=False, timeout=60
    )
    assert cut.returncode == -signal.SIGKILL
    until(lambda: not open_servers(paths), 5, "the server without authentication dies with who started it")
    with launched("mongo", environ):
        until(lambda: mongo_answers(chosen), 30)
        with mongo_client(f"mongodb://127.0.0.1:{port}/?directConnection=true") as stranger:
            with pytest.raises(OperationFailure):
                stranger.list_database_names()


def open_servers(paths: Paths) -> list[int]:
    found = []
    for pid in processes.all_pids():
        try:
            line = command_line(pid)
        except OSError:
            continue
        if str(paths.mongo) in line and "--auth" not in line:
            found.append(pid)
    return found


def test_a_folder_of_the_other_kind_is_refused(paths: Paths, chosen: Settings, port: int) -> None:
    (paths.mongo / "kind").write_text("mongod\n")
    with pytest.raises(
        CannotStart, match=r"was made by mongod, which secantusdb cannot read; set APPLIANCE_MONGO=mongod"
    ):
        mongo.prepare(paths, chosen)
    assert not (paths.mongo / "user-created").exists()


def test_the_port_is_kept_until_a_stranger_takes_it(paths: Paths) -> None:
    first = mongo.ensure_port(paths)
    assert mongo.ensure_port(paths) == first
    with listening(first):
        second = mongo.ensure_port(paths)
        assert second != first
    assert mongo.ensure_port(paths) == second


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", port))
        stranger.listen(1)
        yield


def test_a_stranger_on_the_port_is_not_taken_for_our_server(paths: Paths) -> None:
    port = mongo._free_port()
    with listening(port):
        assert processes.listens(os.getpid(), port)
        assert not processes.listens(os.getppid(), port)
        with subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"]) as ended:
            with pytest.raises(CannotStart, match="ended at its first start with status 3"):
                mongo.await_port(port, ended)


@pytest.mark.parametrize(
    "name, setting",
    [("redis", {"REDIS_URL": "redis://cache.test"}), ("mongo", {"MONGODB_URI": "mongodb://db.test"})],
)
def test_a_server_that_is_elsewhere_stays_off(
    paths: Paths, environ: dict[str, str], name: str, setting: dict[str, str]
) -> None:
    code = f"from appliance.runtime.launch import launch; launch({name!r})"
    got = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environ | setting, capture_output=True, text=True, check=True
    )
    assert got.stderr == f"{name} stays off: {next(iter(setting))} is set\n"


def test_a_store_dies_with_its_supervisor(paths: Paths, chosen: Settings, environ: dict[str, str]) -> None:
    code = (
        "import subprocess, sys, time\n"
        "code = 'from appliance.runtime.launch import launch; launch(\"redis\")'\n"
        "subprocess.Popen([sys.executable, '-P', '-c', code])\n"
        "time.sleep(300)"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], env=environ, process_group=0)
    try:
        until(lambda: redis_answers(chosen))
        supervisor.kill()
        supervisor.wait()
        until(lambda: not redis_answers(chosen))
    finally:
        kill_group(supervisor.pid)
        supervisor.wait()
