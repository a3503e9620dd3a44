"""Passwords of the embedded servers: replaced by a command that is killed before each of its steps."""

from __future__ import annotations

import itertools
import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import pymongo
import pytest
import redis

from appliance import addresses, disk
from appliance.addresses import DATABASE_OWNER, DATABASE_USER, Paths, read_line, user_of
from appliance.ops import server_passwords
from appliance.ops.server_passwords import MongoServer, RedisServer, Server
from appliance.runtime import folders, mongo
from appliance.secret_files import Pair
from appliance.settings import Settings
from tests.runtime.servers import until
from tests.runtime.test_stores import launched, mongo_answers, redis_answers

NEVER = 10**6


class Ended(NamedTuple):
    """How a rotation ended: well, or by a kill; and whether all programs had been replaced by then."""

    well: bool
    reloaded: bool


def replace(chosen: Settings, steps: int) -> Ended:
    """In a child, which is killed before the step of that number."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _cut(steps, sink)
            servers: list[Server] = [MongoServer(chosen), RedisServer(chosen)]
            os._exit(0 if server_passwords._replace_running(servers, lambda line: None) else 3)
        except BaseException:
            traceback.print_exc()
            os._exit(4)
    os.close(sink)
    with os.fdopen(source, "rb") as told:
        reloaded = bool(told.read())
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return Ended(status == 0, reloaded)


def _cut(steps: int, sink: int) -> None:
    """Of this process: each step counts, and the last one is not done."""
    left = [steps]

    def cut(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*given: Any, **named: Any) -> Any:
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return original(*given, **named)

        setattr(owner, name, step)

    def reload() -> int:
        os.write(sink, b"reloaded")
        return 0

    cast(Any, server_passwords).reload = SimpleNamespace(run=reload)
    for name in ("write_durably", "move_durably", "sync_folder"):
        cut(disk, name)
    for owner, name in ((mongo, "reconcile"), (mongo, "mark_done"), (RedisServer, "_set"), (Pair, "drop")):
        cut(owner, name)
    cut(cast(Any, server_passwords).reload, "run")


@contextmanager
def serving(chosen: Settings, environ: dict[str, str]) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(launched("redis", environ))
        stack.enter_context(launched("mongo", environ))
        until(lambda: redis_answers(chosen))
        until(lambda: mongo_answers(chosen), 30)
        yield


def files(paths: Paths) -> dict[str, Path]:
    return {
        "redis": paths.redis_password,
        DATABASE_USER: paths.mongo_password,
        DATABASE_OWNER: paths.mongo_owner,
    }


def held(paths: Paths) -> dict[str, str]:
    """What a client that starts now takes."""
    return {kind: read_line(path) for kind, path in files(paths).items()}


def opens(paths: Paths, kind: str, password: str) -> bool:
    if kind == "redis":
        try:
            with redis.Redis(unix_socket_path=str(paths.redis_socket), password=password) as client:
                return bool(client.ping())
        except redis.AuthenticationError:
            return False
    uri = addresses.embedded_uri(paths, user_of(kind, password), password)
    try:
        with pymongo.MongoClient[dict[str, object]](uri, timeoutMS=10_000) as client:
            if kind == DATABASE_OWNER:
                client.admin.command("usersInfo", 1)
            else:
                client.get_default_database().durable.find_one()
    except pymongo.errors.OperationFailure:
        return False
    return True


def check(paths: Paths, opening: dict[str, str], closed: dict[str, str]) -> None:
    assert {kind: opens(paths, kind, password) for kind, password in opening.items()} == dict.fromkeys(
        opening, True
    )
    gone = {kind: opens(paths, kind, password) for kind, password in closed.items()}
    assert gone == dict.fromkeys(closed, False)


@pytest.fixture
def port(paths: Paths) -> int:
    return mongo.ensure_port(paths)


def test_killed_before_any_step_the_next_command_ends_it(
    paths: Paths, chosen: Settings, environ: dict[str, str], port: int
) -> None:
    with serving(chosen, environ):
        for steps in itertools.count():
            before = held(paths)
            ended = replace(chosen, steps)
            if ended.well:
                break
            pending = [path for path in files(paths).values() if Pair(path).is_changing]
            check(paths, held(paths), {})
            if pending and not ended.reloaded:
                # A program that has not been reloaded holds what was there before.
                check(
                    paths, {kind: password for kind, password in before.items() if kind != DATABASE_OWNER}, {}
                )
            assert replace(chosen, NEVER).well
            after = held(paths)
            changed = {kind: password for kind, password in before.items() if after[kind] != password}
            assert changed, f"nothing was replaced after {steps} steps"
            check(paths, after, changed)
            assert not any(Pair(path).is_changing for path in files(paths).values())
        assert steps > 15
        with pymongo.MongoClient[dict[str, object]](
            addresses.embedded_uri(
                paths, user_of(DATABASE_OWNER, held(paths)[DATABASE_OWNER]), held(paths)[DATABASE_OWNER]
            )
        ) as owner:
            assert len(owner.admin.command("usersInfo", 1)["users"]) == 2


@pytest.mark.parametrize("steps", [1, 4, 9, 12, 15])
def test_killed_midway_a_server_that_starts_again_takes_both_and_a_start_ends_it(
    paths: Paths, chosen: Settings, environ: dict[str, str], port: int, steps: int
) -> None:
    before = held(paths)
    with serving(chosen, environ):
        assert not replace(chosen, steps).well
    with serving(chosen, environ):  # as the guardian starts one again
        check(paths, held(paths), {})
        check(paths, before, {})
    folders.create_secrets(paths, chosen)  # as a start does
    after = held(paths)
    with serving(chosen, environ):
        check(paths, after, {kind: password for kind, password in before.items() if after[kind] != password})
    assert after != before
