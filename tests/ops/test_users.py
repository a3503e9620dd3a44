"""`appliance user`, `secrets` and `audit` as an operator calls them, on a running appliance."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.ops import users
from appliance.security import keyring
from appliance.services.account_shapes import CreateUser
from tests.api.accounts import command, signed_in, statuses, token_of
from tests.ops.command import appliance_command
from tests.people import PASSWORD, People
from tests.running import Running, unique


def told(appliance: Running, *arguments: str, stdin: str = "") -> Any:
    done = command(appliance, *arguments, "--json", stdin=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(appliance: Running, *arguments: str, stdin: str = "") -> str:
    done = command(appliance, *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_user_is_added_with_a_password_from_stdin(appliance: Running) -> None:
    name = unique("Olga")
    made = told(appliance, "user", "add", name, "--role", "admin", "--role", "editor", stdin=PASSWORD + "\n")
    assert (made["username"], made["roles"], made["status"]) == (name.lower(), ["admin", "editor"], "active")
    assert PASSWORD not in str(made)
    with signed_in(appliance, name) as client:
        assert client.get("/api/v1/users").status_code == 200
        entry = client.get("/api/v1/audit", params={"subject": made["user_id"], "action": "user.created"})
        assert [row["actor"] for row in entry.json()["audit"]] == [None]
        client.patch(f"/api/v1/users/{made['user_id']}", json={"roles": ["viewer"]})


def test_what_cannot_be_added_is_said_in_a_line(appliance: Running, cast: People) -> None:
    assert "account of this name" in refused(appliance, "user", "add", "admin", stdin=PASSWORD)
    assert "commonest" in refused(appliance, "user", "add", unique("x"), stdin="qwertyuiop")
    assert refused(appliance, "user", "add", unique("x"), stdin="short").splitlines() == [
        "appliance: password: 10 to 1024 characters are needed, such as four words that do not go together",
        "appliance: nothing was added; next: run the command again",
    ]
    assert "no such user" in refused(appliance, "user", "reset", unique("nobody"))
    for row in _users(cast):
        if "admin" in row["roles"] and row["username"] != "admin":  # left by other tests
            cast.admin.patch(f"/api/v1/users/{row['user_id']}", json={"roles": ["viewer"]})
    assert "last active admin" in refused(appliance, "user", "disable", "admin")


def test_what_is_not_as_it_must_be_is_told_before_a_password_is_asked_for(appliance: Running) -> None:
    """Field, rule and example of each at once, with no word of the code's."""
    said = refused(appliance, "user", "add", "a b", "--role", "root", "--email", "olga")
    assert said.splitlines() == [
        *(f"appliance: {name}: {users._RULES[name]}" for name in ("username", "roles", "email")),
        "appliance: nothing was added; next: run the command again",
    ]
    assert said.count("such as ") == 3
    again = told(appliance, "user", "add", unique("x"), *["--role", "editor"] * 5, stdin=PASSWORD)
    assert again["roles"] == ["editor"]


def test_the_rules_told_are_those_of_the_api() -> None:
    types = {field.name: field.type for field in msgspec.structs.fields(CreateUser)}
    assert set(users._RULES) == set(types)
    for role in ("admin", "editor", "analyst", "viewer"):
        assert role in users._RULES["roles"]
    for name, example in (
        ("username", "olga"),
        ("email", "olga@example.org"),
        ("roles", ["analyst", "viewer"]),
    ):
        msgspec.convert(example, types[name])
    for length, fits in ((9, False), (10, True), (1024, True), (1025, False)):
        assert users._is_one("x" * length, types["password"]) is fits
    for name, fits in (("x", False), ("xy", True), ("x" * 100, True), ("x" * 101, False), (".x", False)):
        assert users._is_one(name, types["username"]) is fits


def _users(cast: People) -> Iterator[dict[str, Any]]:
    """All of them, however many the tests have made."""
    cursor: str | None = ""
    while cursor is not None:
        page = cast.admin.get(
            "/api/v1/users", params={"limit": 200, **({"cursor": cursor} if cursor else {})}
        )
        yield from page.json()["users"]
        cursor = page.json()["next_cursor"]


def test_an_invitation_and_a_reset_print_how_to_use_them(appliance: Running, cast: People) -> None:
    name = unique("guest")
    invited = command(appliance, "user", "add", name, "--role", "viewer", "--invite")
    assert invited.returncode == 0, invited.stderr
    token = invited.stdout.split("token  ")[1].split()[0]
    assert f"curl {appliance.url}/auth/reset" in invited.stdout
    assert invited.stdout.count(token) == 2
    body = {"token": token, "new_password": PASSWORD}
    assert cast.nobody.post("/auth/reset", json=body).status_code == 200
    with signed_in(appliance, name) as client:
        again = told(appliance, "user", "reset", name)["reset_token"]
        assert statuses(appliance, token_of(client), count=4) == {200}, "nothing ends before it is used"
        assert cast.nobody.post("/auth/reset", json={**body, "token": again}).status_code == 200
        assert statuses(appliance, token_of(client)) == {401}


def test_disable_and_enable(appliance: Running, cast: People) -> None:
    name = unique("olaf")
    told(appliance, "user", "add", name, stdin=PASSWORD)
    with signed_in(appliance, name) as client:
        assert statuses(appliance, token_of(client), count=6) == {200}
        assert told(appliance, "user", "disable", name)["status"] == "disabled"
        assert statuses(appliance, token_of(client)) == {401}, "at once, in each process"
    rows = {row["username"]: row for row in told(appliance, "user", "list")}
    assert rows[name]["status"] == "disabled"
    assert rows["admin"]["roles"] == ["admin"]
    assert told(appliance, "user", "enable", name)["status"] == "active"
    appliance.login(name, PASSWORD)
    table = command(appliance, "user", "list").stdout
    assert table.startswith("USER")
    assert name in table


@pytest.mark.parametrize(
    "words", [("user", "list"), ("user", "add", "somebody"), ("secrets", "list"), ("audit", "verify")]
)
def test_before_the_first_start(words: tuple[str, ...], tmp_path: Path) -> None:
    done = appliance_command(*words, data=tmp_path / "data")
    assert (done.returncode, done.stdout) == (2, "")
    assert "./scripts/up" in done.stderr
    assert not (tmp_path / "data").exists()


def test_secrets_are_listed_without_values(appliance: Running) -> None:
    done = command(appliance, "secrets", "list")
    rows = told(appliance, "secrets", "list")
    states = {row["name"]: row["state"] for row in rows}
    assert {"admin", "cursors", "database", "jwt", "redis", "webhooks", "SMTP_URL"} <= states.keys()
    assert all(state.startswith("in use") for state in states.values())
    assert all(0 <= row["age"] < 3600 for row in rows)
    ring = json.loads(appliance.paths.jwt_keys.read_text())
    values = [key["secret"] for key in ring] + [appliance.settings.smtp_url or ""]
    names = ("admin_password", "cursor_key", "mongo_password", "redis_password", "webhook_key")
    values += [(appliance.paths.secrets / name).read_text().strip() for name in names]
    assert not [value for value in values if value in done.stdout + json.dumps(rows)]


def test_50_requests_a_second_over_three_rotations_see_no_401(appliance: Running, cast: People) -> None:
    """Tokens from before and from after each rotation, on new connections: each process is asked."""
    tokens, stop = [appliance.login()], threading.Event()
    seen: list[int] = []

    def ask(offset: float) -> None:
        due = time.monotonic() + offset
        while not stop.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due += 0.1
            with appliance.client(tokens[len(seen) % len(tokens)]) as client:
                seen.append(client.get("/auth/me").status_code)

    threads = [threading.Thread(target=ask, args=(number * 0.02,)) for number in range(5)]
    for thread in threads:
        thread.start()
    signers = set()
    for _ in range(3):
        assert command(appliance, "secrets", "rotate", "jwt").returncode == 0
        ring = keyring.read(appliance.paths.jwt_keys)
        signers.add(next(key.kid for key in ring if key.state == "active"))
        tokens += [appliance.login() for _ in range(3)]
    time.sleep(1.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(signers) == 3
    assert set(seen) == {200}
    assert len(seen) > 30, "the load was there"
