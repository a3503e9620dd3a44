"""The audit log: what is written, who reads it, and that tampering shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo.database import Database

from tests.api.accounts import add, add_key, command, signed_in
from tests.api.forms import publish, walk
from tests.people import People
from tests.running import Running

Rows = Database[dict[str, Any]]


def actions(cast: People, **wanted: str) -> list[str]:
    return [row["action"] for row in walk(cast.admin, "/api/v1/audit", "audit", **wanted)]


def test_each_deed_is_written_once_newest_first(appliance: Running, cast: People) -> None:
    user = add(cast.admin)
    user_id = user["user_id"]
    with signed_in(appliance, user["username"]) as client:
        key = add_key(client, "ai")["key_id"]
        client.delete(f"/api/v1/api-keys/{key}")
        form = publish(client)
        client.post("/auth/logout")
    cast.admin.patch(f"/api/v1/users/{user_id}", json={"email": "x@example.org"})
    cast.admin.patch(f"/api/v1/users/{user_id}", json={"status": "disabled"})
    by_subject = actions(cast, subject=user_id)
    assert by_subject == [
        "user.disabled", "user.changed", "user.signed_out", "user.signed_in", "user.created",
    ]  # fmt: skip
    assert actions(cast, actor=user_id) == [
        "user.signed_out", "form.published", "form.created", "key.deleted", "key.created", "user.signed_in",
    ]  # fmt: skip
    assert actions(cast, subject=form, action="form.published") == ["form.published"]
    rows = walk(cast.admin, "/api/v1/audit", "audit", subject=user_id, limit=2)
    assert rows[-1]["actor"] == cast.admin.get("/auth/me").json()["user_id"]
    assert "example.org" not in str(rows), "an address is not for the log"


def test_a_refused_deed_is_not_written(cast: People) -> None:
    before = cast.admin.get("/api/v1/audit", params={"limit": 1}).json()["audit"][0]["number"]
    cast.nobody.post("/auth/login", json={"username": "alice", "password": "wrong password"})
    cast.alice.post("/auth/password", json={"current_password": "wrong", "new_password": "good enough pw"})
    cast.alice.patch("/api/v1/users/absent", json={"roles": ["admin"]})
    assert cast.admin.get("/api/v1/audit", params={"limit": 1}).json()["audit"][0]["number"] == before


def test_the_log_is_for_admins(cast: People) -> None:
    assert cast.nobody.get("/api/v1/audit").status_code == 401
    for client in (cast.alice, cast.bob, cast.charlie):
        assert client.get("/api/v1/audit").status_code == 403
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert cast.admin.request(method, "/api/v1/audit").status_code == 405


@contextmanager
def tampered(appliance: Running, tamper: Callable[[Rows], None]) -> Iterator[None]:
    """As somebody with the database in hand; mended afterwards."""
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        rows = list(db.audit.find())
        tamper(db)
        yield
        db.audit.delete_many({})
        db.audit.insert_many(rows)


def change(db: Rows) -> None:
    db.audit.update_one({"number": 3}, {"$set": {"actor": "somebody-else"}})


def remove(db: Rows) -> None:
    db.audit.delete_one({"number": 3})


def swap(db: Rows) -> None:
    third, fourth = db.audit.find_one({"number": 3}), db.audit.find_one({"number": 4})
    assert third and fourth
    db.audit.delete_many({"number": {"$in": [3, 4]}})
    db.audit.insert_many([{**third, "number": 4, "_id": 4}, {**fourth, "number": 3, "_id": 3}])


def close_up(db: Rows) -> None:
    """Take one out and count the rest down."""
    rows = [row for row in db.audit.find().sort("number", 1) if row["number"] != 3]
    db.audit.delete_many({})
    db.audit.insert_many([{**row, "number": n, "_id": n} for n, row in enumerate(rows, 1)])


@pytest.mark.parametrize("tamper", [change, remove, swap, close_up], ids=lambda each: each.__name__)
def test_tampering_shows_where(appliance: Running, cast: People, tamper: Callable[[Rows], None]) -> None:
    for _ in range(3):
        publish(cast.alice)
    whole = command(appliance, "audit", "verify")
    assert whole.returncode == 0, whole.stderr
    assert "is whole" in whole.stdout
    with tampered(appliance, tamper):
        broken = command(appliance, "audit", "verify")
        assert broken.returncode == 1
        assert "broken at entry 3" in broken.stdout
    assert command(appliance, "audit", "verify").returncode == 0


def test_a_cut_off_end_shows(appliance: Running, cast: People) -> None:
    last = cast.admin.get("/api/v1/audit", params={"limit": 1}).json()["audit"][0]["number"]
    with tampered(appliance, lambda db: void(db.audit.delete_one({"number": last}))):
        assert f"broken at entry {last}" in command(appliance, "audit", "verify").stdout
    with tampered(appliance, lambda db: void(db.audit.insert_one({"_id": last + 1, "number": last + 1}))):
        assert f"broken at entry {last + 1}" in command(appliance, "audit", "verify").stdout


def void(_: object) -> None:
    """Of what was done, nothing is of interest."""
