"""API keys: shown once, never more than their owner, out everywhere when withdrawn."""

from __future__ import annotations

import datetime as dt
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from appliance.clock import rfc3339, utc_now
from tests.api.accounts import add, add_key, signed_in, statuses
from tests.api.forms import FEEDBACK, errors, walk
from tests.people import People
from tests.running import Running, unique

FORM: dict[str, Any] = {"title": "By a robot", "definition": FEEDBACK}


def test_a_key_is_shown_once_and_kept_as_a_hash(appliance: Running, cast: People) -> None:
    made = add_key(cast.alice, "forms:read")
    assert made["key"].startswith(f"ak_{made['key_id']}_")
    secret = made["key"].removeprefix(f"ak_{made['key_id']}_")
    assert len(secret) == 43, "256 bits in base64url"
    listed = cast.alice.get("/api/v1/api-keys")
    assert made["key_id"] in listed.text
    assert secret not in listed.text
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        rows = list(db.api_keys.find({"_id": made["key_id"]})) + list(
            db.audit.find({"subject": made["key_id"]})
        )
        assert len(rows) == 2
        assert secret not in str(rows)


def test_a_key_does_what_its_scopes_say(appliance: Running, cast: People) -> None:
    reader = add_key(cast.alice, "forms:read")["key"]
    writer = add_key(cast.alice, "forms:read", "forms:write")["key"]
    with appliance.client(reader) as client:
        assert client.get("/api/v1/forms").status_code == 200
        assert client.post("/api/v1/forms", json=FORM).status_code == 403
        for path in ("/auth/me", "/api/v1/api-keys", "/api/v1/users", "/api/v1/audit"):
            assert client.get(path).status_code == 403, path
        assert client.post("/api/v1/api-keys", json={"name": "x", "scopes": ["ai"]}).status_code == 403
        assert client.post("/auth/logout").status_code == 403
    with appliance.client(writer) as client:
        form = client.post("/api/v1/forms", json=FORM)
        assert form.status_code == 201
        assert form.json()["owner"] == cast.alice.get("/auth/me").json()["user_id"]


def test_a_key_never_exceeds_its_owner(appliance: Running, cast: People) -> None:
    assert cast.alice.post("/api/v1/api-keys", json={"name": "x", "scopes": ["admin"]}).status_code == 403
    key = add_key(cast.bob, "forms:write")["key"]
    with appliance.client(key) as client:
        assert client.post("/api/v1/forms", json=FORM).status_code == 403, "bob is a viewer"
    chief = add(cast.admin, "admin")
    with signed_in(appliance, chief["username"]) as client:
        key, plain = add_key(client, "admin")["key"], add_key(client, "forms:read", "forms:write")["key"]
    foreign = cast.alice.post("/api/v1/forms", json=FORM).json()["form_id"]
    assert statuses(appliance, key, path="/api/v1/users") == {200}
    assert statuses(appliance, plain, path=f"/api/v1/forms/{foreign}") == {404}, "no admin without the scope"
    path = f"/api/v1/users/{chief['user_id']}"
    assert cast.admin.patch(path, json={"roles": ["editor"]}).status_code == 200
    assert statuses(appliance, key, path="/api/v1/users") == {403}


def test_a_withdrawn_key_is_out_everywhere(appliance: Running, cast: People) -> None:
    made = add_key(cast.alice, "forms:read")
    assert statuses(appliance, made["key"]) == {200}
    assert cast.charlie.delete(f"/api/v1/api-keys/{made['key_id']}").status_code == 404
    assert cast.alice.delete(f"/api/v1/api-keys/{made['key_id']}").status_code == 204
    assert statuses(appliance, made["key"]) == {401}
    assert cast.alice.delete(f"/api/v1/api-keys/{made['key_id']}").status_code == 404
    other = add_key(cast.alice, "forms:read")
    assert cast.admin.delete(f"/api/v1/api-keys/{other['key_id']}").status_code == 204
    assert statuses(appliance, other["key"]) == {401}


def test_a_key_expires(appliance: Running, cast: People) -> None:
    soon = utc_now() + dt.timedelta(seconds=2)
    made = add_key(cast.alice, "forms:read", expires_at=rfc3339(soon))
    assert made["expires_at"] == rfc3339(soon)
    assert statuses(appliance, made["key"], count=6) == {200}
    deadline = time.monotonic() + 4
    while statuses(appliance, made["key"], count=6) != {401}:
        assert time.monotonic() < deadline
    past = {"name": "x", "scopes": ["ai"], "expires_at": "2020-01-01T00:00:00Z"}
    assert set(errors(cast.alice.post("/api/v1/api-keys", json=past))) == {"/expires_at"}


@pytest.mark.parametrize(
    "body, path",
    [
        ({"scopes": ["ai"]}, "/name"),
        ({"name": "x", "scopes": []}, "/scopes"),
        ({"name": "x", "scopes": ["everything"]}, "/scopes/0"),
        ({"name": "x", "scopes": ["ai"], "user_id": "y"}, "/user_id"),
        ({"name": {"$gt": ""}, "scopes": ["ai"]}, "/name"),
        ({"name": "x", "scopes": ["ai"], "expires_at": "2030-01-01T00:00:00"}, "/expires_at"),
    ],
)
def test_a_key_that_is_not_valid(cast: People, body: dict[str, Any], path: str) -> None:
    answer = cast.alice.post("/api/v1/api-keys", json=body)
    assert answer.status_code == 400
    assert set(errors(answer)) == {path}


def test_keys_are_listed_to_their_owner_and_to_admins(appliance: Running, cast: People) -> None:
    user = add(cast.admin)
    with signed_in(appliance, user["username"]) as client:
        made = [add_key(client, "ai")["key_id"] for _ in range(5)]
        listed = walk(client, "/api/v1/api-keys", "api_keys", limit=2)
        assert [row["key_id"] for row in listed] == made[::-1]
        mine = {"user_id": user["user_id"]}
        assert client.get("/api/v1/api-keys", params=mine).status_code == 200
    found = walk(cast.admin, "/api/v1/api-keys", "api_keys", limit=3, **mine)
    assert [row["key_id"] for row in found] == made[::-1]
    assert cast.charlie.get("/api/v1/api-keys", params=mine).status_code == 403


def test_a_repeated_request_makes_one_key_and_shows_it_again(appliance: Running, cast: People) -> None:
    name, headers = unique("robot"), {"idempotency-key": unique("key")}

    def send(_: int) -> dict[str, Any]:
        body = {"name": name, "scopes": ["forms:read"]}
        answer = cast.alice.post("/api/v1/api-keys", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(send, range(6)))
    assert all(each == made[0] for each in made)
    assert statuses(appliance, made[0]["key"], count=4) == {200}
    names = [row["name"] for row in walk(cast.alice, "/api/v1/api-keys", "api_keys")]
    assert names.count(name) == 1
    with appliance.database() as client:
        kept = str(list(client.get_default_database("appliance").idempotency.find()))
    assert made[0]["key_id"] in kept
    assert made[0]["key"].rpartition("_")[2][-12:] not in kept


def test_what_is_no_key(appliance: Running, cast: People) -> None:
    made = add_key(cast.alice, "forms:read")
    for wrong in (
        made["key"][:-1] + ("A" if made["key"][-1] != "A" else "B"),
        made["key"] + "x",
        f"ak_{made['key_id']}_",
        f"ak_{made['key_id']}",
        "ak_",
        "ak__",
        made["key"].removeprefix("ak_"),
        made["key"].replace("ak_", "AK_"),
    ):
        assert statuses(appliance, wrong, count=2) == {401}, wrong
