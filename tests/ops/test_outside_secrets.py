"""Secrets that come from outside, by every way there is: never written, taken when new, told nobody."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pymongo
import pytest
import redis

from appliance import addresses, processes, settings
from appliance.addresses import DATABASE_OWNER, Paths, read_line, user_of
from appliance.ops import instance
from appliance.runtime import folders, mongo
from appliance.security import keyring
from tests.api.forms import publish, submit
from tests.ops.command import appliance_command
from tests.running import Running, running
from tests.runtime.servers import operator_environ, temporary_data, until
from tests.runtime.test_stores import launched, mongo_answers, redis_answers

ADMIN = "sesame-admin-of-the-environment"
KEYS = ["sesame-first-key-of-the-vault-" + "x" * 9, "sesame-second-key-of-the-vault-" + "y" * 9]
MAIL = "sesame+mail/password"


@dataclass
class Outside:
    """Stores of somebody else's, and the places that secrets are read from."""

    folder: Path
    paths: Paths
    servers: list[int]
    """Their process groups."""

    def write(self, name: str, value: str) -> None:
        path = self.folder / name
        path.write_text(value)
        path.chmod(0o600)

    def mongodb(self, user: str, password: str, database: str = "appliance") -> str:
        uri = addresses.embedded_uri(self.paths, user, password)
        return uri.replace("/appliance?", f"/{database}?")

    def add_user(self, name: str, password: str) -> None:
        owner = read_line(self.paths.mongo_owner)
        uri = addresses.embedded_uri(self.paths, user_of(DATABASE_OWNER, owner), owner)
        with pymongo.MongoClient[dict[str, object]](uri) as client:
            roles = [{"role": "readWrite", "db": "appliance"}, {"role": "clusterMonitor", "db": "admin"}]
            client.admin.command("createUser", name, pwd=password, roles=roles)

    def drop_user(self, name: str) -> None:
        owner = read_line(self.paths.mongo_owner)
        uri = addresses.embedded_uri(self.paths, user_of(DATABASE_OWNER, owner), owner)
        with pymongo.MongoClient[dict[str, object]](uri) as client:
            client.admin.command("dropUser", name)

    def redis_url(self, password: str) -> str:
        return f"unix://:{quote(password, safe='')}@{self.paths.redis_socket}"

    def redis_password(self, rule: str) -> None:
        with redis.Redis.from_url(
            addresses.redis_url(settings.load({"APPLIANCE_DATA": str(self.paths.data)}))
        ) as it:
            it.execute_command("ACL", "SETUSER", "default", rule)


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    with temporary_data() as data, ExitStack() as stack:
        environ = operator_environ(data)
        chosen = settings.load(environ, dotenv=Path("/nonexistent"))
        paths = Paths(chosen.data)
        folders.create(paths)
        folders.create_secrets(paths, chosen)
        mongo.ensure_port(paths)
        servers = [stack.enter_context(launched(name, environ)).pid for name in ("redis", "mongo")]
        until(lambda: redis_answers(chosen) and mongo_answers(chosen), 60)
        folder = data.parent / "secrets"
        folder.mkdir(mode=0o700)
        made = Outside(folder, paths, servers)
        made.add_user("forms", "sesame-database-1")
        made.redis_password(">sesame-redis-1")
        made.write("SECRET_KEY", KEYS[0])
        made.write("smtp", f"smtp://forms:{quote(MAIL, safe='')}@127.0.0.1:1")
        made.write("env", f"MONGODB_URI={made.mongodb('forms', 'sesame-database-1')}\n")
        made.write("redis", made.redis_url("sesame-redis-1"))
        (folder / "vault").write_text(f"#!/bin/sh\necho looked for $1 >&2\ncat {folder}/$1\n")
        (folder / "vault").chmod(0o700)
        yield made


@pytest.fixture(scope="module")
def environ(outside: Outside) -> dict[str, str]:
    return {
        "APPLIANCE_ADMIN_PASSWORD": ADMIN,
        "SECRETS_COMMAND": f"{outside.folder}/vault {{name}}",
        "SECRETS_NAMES": "SECRET_KEY",
        "SMTP_URL_FILE": str(outside.folder / "smtp"),
        "REDIS_URL_FILE": str(outside.folder / "redis"),
        "APPLIANCE_DOTENV": str(outside.folder / "env"),
        "EGRESS_ALLOW": "127.0.0.1/32",
    }


@pytest.fixture(scope="module")
def appliance(environ: dict[str, str]) -> Iterator[Running]:
    with running(**environ) as started:
        started.settings = settings.load(started.environ)
        yield started


def command(appliance: Running, environ: dict[str, str], *words: str, status: int = 0) -> str:
    done = appliance_command(*words, data=appliance.paths.data, **environ)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def known(appliance: Running) -> set[str]:
    """Every secret value there is, and what its address holds of it."""
    found = {ADMIN, *KEYS, MAIL, quote(MAIL, safe=""), "sesame-database-1", "sesame-redis-1"}
    for path in appliance.paths.secrets.iterdir():
        if path.suffix == ".json":
            text = path.read_text()
            found |= set(re.findall(r'"(?:secret|key|digest)":\s*"(.+?)"', text))
        elif path.suffix != ".lock":
            found |= {
                line.split(" ")[0] for line in path.read_text().splitlines() if not line.startswith("#")
            }
    return {value for value in found if len(value) > 6}


def leaks(text: str, values: set[str]) -> list[str]:
    return sorted(value for value in values if value in text)


def programs(appliance: Running) -> dict[int, str]:
    """All processes of the appliance, and what each is, by what it was told."""
    found = {}
    for pid in processes.all_pids():
        try:
            if Path(f"/proc/{pid}/cwd").readlink() == appliance.paths.run:
                environ = Path(f"/proc/{pid}/environ").read_bytes().decode()
                told = re.search(r"\bAPPLIANCE_PROGRAM=([\w-]+)", environ)
                found[pid] = told[1] if told else Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
    return found


def test_nobody_is_told_a_secret(appliance: Running, environ: dict[str, str]) -> None:
    with appliance.client(appliance.login(password=ADMIN)) as client, appliance.client() as nobody:
        form_id = publish(client, public=True, notify=["a@example.org"])
        assert submit(nobody, form_id).status_code == 201
        hook = {"url": "http://127.0.0.1:1/", "events": ["response.created"]}
        assert client.post("/api/v1/webhooks", json=hook).status_code == 201
        values = known(appliance) - {client.headers["authorization"]}
        asked = [
            nobody.post("/auth/login", json={"username": "admin", "password": "wrong password"}),
            nobody.get("/api/v1/users"), nobody.get("/nothing"), nobody.get("/readyz"),
            nobody.post("/auth/login", content=b"{"), client.get("/api/v1/forms?cursor=x"),
            client.get("/api/v1/system"), client.get("/openapi.json"), client.get("/api/v1/webhooks"),
            client.post("/api/v1/forms", json={"title": 5}), client.get("/api/v1/audit"),
            nobody.get("/auth/me", headers={"authorization": "Bearer x.y.z"}),
        ]  # fmt: skip
    for answer in asked:
        assert leaks(answer.text + str(answer.headers), values) == [], answer.request.url
    told = [
        command(appliance, environ, "config", "show", "--json"),
        command(appliance, environ, "config", "show"),
    ]
    for words in (
        ("status", "--json"),
        ("doctor", "--json"),
        ("secrets", "list", "--json"),
        ("healthcheck",),
    ):
        done = appliance_command(*words, data=appliance.paths.data, **environ)
        told.append(done.stdout + done.stderr)
    assert [leaks(each, values) for each in told] == [[]] * len(told)
    assert "looked for SECRET_KEY" in told[0], "what the vault says on stderr is for the operator"
    logs = [appliance.log, *appliance.paths.logs.iterdir()]
    assert {path.name: leaks(path.read_text(errors="replace"), values) for path in logs} == {
        path.name: [] for path in logs
    }
    assert "looked for SECRET_KEY" in appliance.log.read_text()
    files = [path for path in appliance.paths.run.rglob("*") if path.is_file()]
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in files
        if leaks(path.read_text(errors="replace"), values)
    }
    assert modes == {"dotenv": 0o600, "secrets.json": 0o600}


def test_programs_get_only_what_they_need(appliance: Running) -> None:
    values = known(appliance)
    found = programs(appliance)
    assert {"api-1", "scheduler", "worker-high", "worker-default", "guardian", "nginx"} <= set(found.values())
    for pid, name in found.items():
        environ = Path(f"/proc/{pid}/environ").read_text()
        assert leaks(Path(f"/proc/{pid}/cmdline").read_text(), values) == [], name
        # supervisord passes on what `up` was given in its environment.
        assert leaks(environ, values) == ([ADMIN] if "SUPERVISED_RUN=" in environ else []), name


def test_a_store_that_goes_away_is_told_without_its_password(appliance: Running, outside: Outside) -> None:
    """The errors of the drivers may name the address."""
    values = known(appliance)

    def logged() -> str:
        return "".join(path.read_text(errors="replace") for path in appliance.paths.logs.iterdir())

    with appliance.client(appliance.login(password=ADMIN)) as client:
        before = len(logged())
        for group in outside.servers:
            os.killpg(group, signal.SIGSTOP)
        try:
            answers = [client.get(path) for path in ("/readyz", "/api/v1/forms", "/api/v1/tasks")]
            until(lambda: "cannot work now" in logged()[before:], 30, "the scheduler says so")
        finally:
            for group in outside.servers:
                os.killpg(group, signal.SIGCONT)
        assert {answer.status_code for answer in answers} == {503}
        assert [leaks(answer.text, values) for answer in answers] == [[]] * 3
    until(appliance.is_ready)
    assert leaks(logged(), values) == []


def test_what_is_outside_is_not_written_and_it_is_said_what_to_change_where(
    appliance: Running, outside: Outside, environ: dict[str, str]
) -> None:
    def state() -> dict[str, bytes]:
        folders = (outside.folder, appliance.paths.secrets)
        return {
            str(path): path.read_bytes()
            for folder in folders
            for path in folder.iterdir()
            if path.name != ".lock"
        }

    before = state()
    told = {
        name: command(appliance, environ, "secrets", "rotate", name, status=2)
        for name in ("jwt", "database", "redis", "smtp", "admin")
    }
    assert state() == before
    assert "SECRET_KEY comes from the command of SECRETS_COMMAND, which is never written here" in told["jwt"]
    assert "openssl rand -hex 32; next: ./scripts/appliance secrets rotate jwt once more" in told["jwt"]
    assert f"MONGODB_URI comes from {outside.folder}/env" in told["database"]
    assert f"REDIS_URL comes from {outside.folder}/redis" in told["redis"]
    assert f"SMTP_URL comes from {outside.folder}/smtp" in told["smtp"]
    assert "APPLIANCE_ADMIN_PASSWORD comes from the environment" in told["admin"]


def test_a_vault_that_gives_another_value_each_time_is_told_so(
    appliance: Running, outside: Outside, environ: dict[str, str]
) -> None:
    """No two programs would have the same; nothing is reloaded for it."""
    keys, outcome = appliance.paths.jwt_keys.read_bytes(), appliance.paths.reload_outcome
    reloaded = outcome.read_bytes() if outcome.exists() else None
    vault = outside.folder / "vault"
    before = vault.read_text()
    try:
        vault.write_text(f"#!/bin/sh\necho {KEYS[0]}$(date +%N)\n")
        told = command(appliance, environ, "secrets", "rotate", "jwt", status=2)
    finally:
        vault.write_text(before)
    assert "SECRETS_COMMAND gives another value each time" in told and "another place" not in told
    assert appliance.paths.jwt_keys.read_bytes() == keys
    assert (outcome.read_bytes() if outcome.exists() else None) == reloaded


def test_a_new_value_is_taken_when_it_is_there(
    appliance: Running, outside: Outside, environ: dict[str, str]
) -> None:
    token = appliance.login(password=ADMIN)

    def active() -> str:
        return next(key.secret for key in keyring.read(appliance.paths.jwt_keys) if key.state == "active")

    assert active() == KEYS[0]
    outside.write("SECRET_KEY", KEYS[1])
    told = command(appliance, environ, "secrets", "rotate", "jwt")
    assert "SECRET_KEY: the new value is used" in told
    assert active() == KEYS[1]
    states = {key.secret: key.state for key in keyring.read(appliance.paths.jwt_keys)}
    assert states[KEYS[0]] == "retiring"
    with appliance.client(token) as client:
        assert client.get("/auth/me").status_code == 200, "a session from before goes on"
    assert "comes from" in command(appliance, environ, "secrets", "rotate", "jwt", status=2)

    wrong = outside.mongodb("forms", "sesame-wrong-password")
    right = (outside.folder / "env").read_text()
    outside.write("env", f"MONGODB_URI={wrong}\n")
    told = command(appliance, environ, "secrets", "rotate", "database", status=2)
    assert "does not take the new user and password" in told and "sesame-wrong" not in told
    assert appliance.is_ready()
    outside.write("env", right.replace("/appliance?", "/another?"))
    assert "names another place" in command(appliance, environ, "secrets", "rotate", "database", status=2)
    outside.add_user("forms2", "sesame-database-2")
    outside.write("env", f"MONGODB_URI={outside.mongodb('forms2', 'sesame-database-2')}\n")
    outside.redis_password(">sesame-redis-2")
    outside.write("redis", outside.redis_url("sesame-redis-2"))
    assert "the new value is used" in command(appliance, environ, "secrets", "rotate", "database")
    outside.drop_user("forms")
    outside.redis_password("<sesame-redis-1")
    until(appliance.is_ready)
    with appliance.client(appliance.login(password=ADMIN)) as client:
        assert client.get("/readyz").json()["status"] == "ready"
        assert submit(client, publish(client, public=True)).status_code == 201
    held = instance.find_texts(appliance.paths)
    assert held is not None and held["MONGODB_URI"].source == ".env"


def test_ages_count_from_when_a_value_was_seen_first(appliance: Running, environ: dict[str, str]) -> None:
    done = appliance_command("secrets", "list", "--json", data=appliance.paths.data, **environ)
    rows = json.loads(done.stdout)
    ages = {row["name"]: row for row in rows}
    assert {"SECRET_KEY", "MONGODB_URI", "REDIS_URL", "SMTP_URL", "jwt", "cursors", "webhooks"} <= set(ages)
    assert not {"database", "redis"} & set(ages), "those of embedded servers are not in use"
    assert ages["SECRET_KEY"]["age"] < ages["SMTP_URL"]["age"]
    assert ages["SECRET_KEY"]["source"] == "SECRETS_COMMAND"
    seen = appliance.paths.seen.read_text()
    assert leaks(seen, {ADMIN, *KEYS, MAIL}) == []
    assert appliance.paths.seen.stat().st_mode & 0o777 == 0o600
