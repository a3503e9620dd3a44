"""Every secret is replaced under load: nobody is refused, nothing fails, each webhook is signed as ever."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx
import pymongo
import pytest
import redis

from appliance import addresses
from appliance.secret_files import Pair
from appliance.security import key_files
from appliance.services import admin_password
from appliance.settings import HOME
from tests import people
from tests.api.accounts import add_key
from tests.api.forms import publish
from tests.api.webhooks import OK, Hook, create
from tests.faults.steering import with_context
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running, running, unique
from tests.runtime.servers import until
from tests.security.receivers import receiver

A_SECOND = 50
"""Requests."""
CLIENTS = 10
SLOW = 0.01
"""The part of the answers that may be late on a machine on which others work."""


@pytest.fixture(scope="module")
def appliance() -> Iterator[Running]:
    with running(EGRESS_ALLOW="127.0.0.1/32", RATE_LIMIT="off") as started:
        yield started


@pytest.fixture(scope="module")
def cast(appliance: Running) -> Iterator[People]:
    with people.gather(appliance) as gathered:
        yield gathered


@dataclass(slots=True)
class Load:
    """What mixed requests were told, 50 a second, each client over a connection of its own."""

    appliance: Running
    form_id: str
    token: str
    key: str
    cursor: str
    failures: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    slow: int = 0
    """Answers that the database did not give in time: a busy disk's doing, as long as they are few. A
    rotation that takes a password away from who works with it makes them by the hundred.
    """
    asked: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def run(self, number: int) -> None:
        due = time.monotonic() + number / A_SECOND
        kinds: list[Callable[[httpx.Client], httpx.Response]] = [
            self._me, self._submit, self._forms, self._submit, self._page, self._made,
        ]  # fmt: skip
        with httpx.Client(base_url=self.appliance.url, trust_env=False, timeout=30) as client:
            for turn in itertools.count(number):
                if self.over.wait(max(0.0, due - time.monotonic())):
                    break
                due += CLIENTS / A_SECOND
                self._ask(client, kinds[turn % len(kinds)])

    def _ask(self, client: httpx.Client, kind: Callable[[httpx.Client], httpx.Response]) -> None:
        self.asked += 1
        try:
            answer = kind(client)
        except httpx.HTTPError as fault:
            self.failures.append(f"{kind.__name__}: {fault!r}")
            return
        if answer.status_code == 201 and "response_id" in answer.json():
            self.submitted.append(answer.json()["response_id"])
        elif answer.status_code == 503 and "The database does not answer" in answer.text:
            self.slow += 1
        elif answer.status_code >= 400:
            self.failures.append(f"{kind.__name__}: {answer.status_code} {answer.text[:200]}")

    def _me(self, client: httpx.Client) -> httpx.Response:
        return client.get("/auth/me", headers=self._bearer(self.token))

    def _forms(self, client: httpx.Client) -> httpx.Response:
        return client.get("/api/v1/forms?limit=2", headers=self._bearer(self.key))

    def _page(self, client: httpx.Client) -> httpx.Response:
        return client.get(f"/api/v1/forms?limit=1&cursor={self.cursor}", headers=self._bearer(self.token))

    def _submit(self, client: httpx.Client) -> httpx.Response:
        return client.post(f"/api/v1/forms/{self.form_id}/responses", json={"data": {"name": "Ada"}})

    def _made(self, client: httpx.Client) -> httpx.Response:
        """A key made twice under one Idempotency-Key: what is told is the same key."""
        body, key = {"name": "k", "scopes": ["forms:read"]}, unique("once")
        headers = {**self._bearer(self.token), "idempotency-key": key}
        first = client.post("/api/v1/api-keys", json=body, headers=headers)
        again = client.post("/api/v1/api-keys", json=body, headers=headers)
        if (
            first.status_code == 201
            and again.status_code < 300
            and first.json()["key"] != again.json()["key"]
        ):
            self.failures.append("a repeated request was told another key")
        return again if first.status_code < 300 else first

    def _bearer(self, token: str) -> dict[str, str]:
        return {"authorization": f"Bearer {token}"}


@contextmanager
def load(appliance: Running, cast: People, form_id: str) -> Iterator[Load]:
    for _ in range(2):
        publish(cast.admin)
    cursor = cast.admin.get("/api/v1/forms", params={"limit": 1}).json()["next_cursor"]
    token = appliance.login()
    made = Load(appliance, form_id, token, add_key(cast.admin, "forms:read")["key"], cursor)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(made.run, number) for number in range(CLIENTS)]
        try:
            yield made
        finally:
            made.over.set()
        for client in clients:
            client.result()


def check(clients: Load) -> None:
    """What all were told, when they have ended."""
    assert clients.failures == []
    assert clients.slow <= clients.asked * SLOW, f"{clients.slow} of {clients.asked} had no answer"


def rotate(appliance: Running, name: str, status: int = 0) -> str:
    told = appliance_command("secrets", "rotate", name, data=appliance.paths.data)
    assert told.returncode == status, told.stdout + told.stderr
    return told.stdout


def values(appliance: Running) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(appliance.paths.secrets.iterdir())}


def opens_mongo(appliance: Running, user: str, password: str) -> bool:
    uri = addresses.embedded_uri(appliance.paths, user, password)
    try:
        with pymongo.MongoClient[dict[str, object]](uri, timeoutMS=10_000) as client:
            client.get_default_database("appliance").durable.find_one()
    except pymongo.errors.OperationFailure:
        return False
    return True


def authenticates(appliance: Running, user: str, password: str) -> bool:
    """Whatever it may do then: the owner of users may read nothing."""
    uri = addresses.embedded_uri(appliance.paths, user, password)
    try:
        with pymongo.MongoClient[dict[str, object]](uri, timeoutMS=10_000) as client:
            client.admin.command("ping")
    except pymongo.errors.OperationFailure:
        return False
    return True


def opens_redis(appliance: Running, password: str) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(appliance.paths.redis_socket), password=password) as client:
            return bool(client.ping())
    except redis.AuthenticationError:
        return False


def test_all_secrets_are_replaced_twice_under_load(appliance: Running, cast: People) -> None:
    form_id = publish(cast.admin, public=True)
    first = values(appliance)
    with receiver(OK) as there:
        hook = Hook(cast.admin, there, create(cast.admin, there.url(), form_id=form_id))
        with load(appliance, cast, form_id) as clients:
            until(lambda: len(clients.submitted) > 20, 30, "the clients are at work")
            told = rotate(appliance, "all")
            second = values(appliance)
            told += rotate(appliance, "all")
            count = len(clients.submitted)
            until(lambda: len(clients.submitted) > count + 20, 30, "the clients are still at work")
        check(clients)
        assert clients.asked > 1000 and len(clients.submitted) > 300
        until(lambda: len({m.id for m in hook.messages()}) >= len(clients.submitted), 120, "all are told of")
    assert "database: takes the new password only" in told
    third = values(appliance)
    names = {"jwt_keys.json", "cursor_key", "webhook_key", "backup_key", "admin_password"}
    names |= {"redis_password", "mongo_password", "mongo_owner_password"}
    assert first["webhook_key"] != second["webhook_key"]
    for name in names - {"webhook_key"}:  # which waits until all is sealed anew
        assert first.get(name) != second[name] != third[name], name
    for before in (first, second):
        password = before["mongo_password"].decode().strip()
        assert not opens_mongo(appliance, addresses.user_of("appliance", password), password)
        owner = before["mongo_owner_password"].decode().strip()
        assert not authenticates(appliance, addresses.user_of("owner", owner), owner)
        assert not opens_redis(appliance, before["redis_password"].decode().strip())
    owner = third["mongo_owner_password"].decode().strip()
    assert authenticates(appliance, addresses.user_of("owner", owner), owner)
    assert opens_redis(appliance, third["redis_password"].decode().strip())
    assert appliance.login(), "with the new password of the file"
    appliance.signal("scheduler")  # which seals anew; what is left, the next one does
    until(
        lambda: len(key_files.read(appliance.paths.webhook_key)) == 1, 100, "sealed anew, the old key is gone"
    )
    with receiver(OK) as there:
        answer = cast.admin.patch(hook.path, json={"url": there.url()})
        assert answer.status_code == 200, answer.text
        assert cast.admin.post(f"{hook.path}/test").json()["delivered"] is True
        assert Hook(cast.admin, there, hook.created).messages("webhook.test")


CUT = """
import os, signal, sys
from appliance.ops import rotation, server_passwords

def cut(*given):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "admit":
    server_passwords.MongoServer.admit = cut
elif sys.argv[1] == "reload":
    real = server_passwords.reload.run
    def run():
        os.kill(int(open(sys.argv[2]).read()), signal.SIGHUP)
        cut()
    server_passwords.reload.run = run
elif sys.argv[1] == "forget":
    server_passwords.MongoServer.forget = cut
sys.exit(rotation.run("all"))
"""


@pytest.mark.parametrize("step", ["admit", "reload", "forget"])
def test_killed_under_load_nobody_is_refused_and_the_next_command_ends_it(
    appliance: Running, cast: People, step: str
) -> None:
    """`reload`: the appliance goes on with it alone, while programs begin with either password."""
    form_id = publish(cast.admin, public=True)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HOME),
        "APPLIANCE_DATA": str(appliance.paths.data),
    }
    passwords = (appliance.paths.redis_password, appliance.paths.mongo_password)
    with load(appliance, cast, form_id) as clients:
        until(lambda: len(clients.submitted) > 20, 30, "the clients are at work")
        cut = subprocess.run(
            [sys.executable, "-P", "-c", CUT, step, str(appliance.paths.lock)],
            env=environ, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert cut.returncode == -signal.SIGKILL, cut.stdout + cut.stderr
        assert any(Pair(path).is_changing for path in passwords)
        listed = appliance_command("secrets", "list", data=appliance.paths.data).stdout
        assert "being replaced; next: ./scripts/appliance secrets rotate database" in listed
        before = [path.read_text() for path in passwords]
        told = rotate(appliance, "all")
        count = len(clients.submitted)
        until(lambda: len(clients.submitted) > count + 20, 30, "the clients are still at work")
    check(clients)
    assert "redis: takes the new password only" in told
    assert not any(Pair(path).is_changing for path in passwords)
    after = [path.read_text() for path in passwords]
    assert (after == before) == (step in ("reload", "forget")), (
        "what was begun is ended, rather than begun anew"
    )


def test_a_start_ends_the_replacement_of_the_admins_password(appliance: Running) -> None:
    """Killed before the account had it, and after."""
    path = appliance.paths.admin_password
    draft, before = path.with_name(f"{path.name}.next"), path.read_text()
    draft.write_text("a password that the account never had\n")
    with_context(appliance, admin_password.settle)
    assert not draft.exists() and path.read_text() == before
    token = appliance.login()
    with_context(appliance, admin_password.rotate)
    assert path.read_text() != before
    path.rename(draft)
    path.write_text(before)
    with_context(appliance, admin_password.settle)
    assert not draft.exists()
    with appliance.client(token) as client:
        assert client.get("/auth/me").status_code == 200
    assert appliance.login()


CUT_ADMIN = """
import os, signal, sys
from appliance import disk
from appliance.ops import rotation
from appliance.services import admin_password

def cut(draft, path):
    if path.name == "admin_password":
        os.kill(os.getpid(), signal.SIGKILL)

disk.move_durably = cut
sys.exit(rotation.run("admin"))
"""


def test_killed_between_account_and_file_the_file_opens_within_seconds(appliance: Running) -> None:
    """Without another rotation, or a start."""
    path = appliance.paths.admin_password
    draft, before = path.with_name(f"{path.name}.next"), path.read_text()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), **appliance.environ}
    call = [sys.executable, "-P", "-c", CUT_ADMIN]
    cut = subprocess.run(call, env=environ, capture_output=True, text=True, timeout=120)
    assert cut.returncode == -signal.SIGKILL, cut.stdout + cut.stderr
    until(lambda: not draft.exists(), 30, "the scheduler ends it")
    assert path.read_text() != before
    assert appliance.login()


def test_a_new_password_that_may_be_on_its_way_to_the_account_is_not_dropped(appliance: Running) -> None:
    path = appliance.paths.admin_password
    draft = path.with_name(f"{path.name}.next")
    draft.write_text("a password that the account does not have yet\n")
    settle = partial(admin_password.settle, patience=admin_password.PATIENCE)
    assert with_context(appliance, settle) == 0 and draft.exists()
    os.utime(draft, (0, 0))
    with_context(appliance, settle)
    assert not draft.exists() and appliance.login()
