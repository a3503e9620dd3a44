"""Every route × person: what each of them gets. A route without a row fails, and each cell is really called.

The form is alice's, published and not public; bob has a share to view it and the role viewer, dora a share to
edit and the role editor; charlie is an editor without a share. `revoked` is a token of alice's whose session
ended, `key` an API key of hers that was made for something else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.api.accounts import add, add_key
from tests.api.forms import FEEDBACK, publish, submit
from tests.api.test_documents import OPERATIONS
from tests.people import PASSWORD, People
from tests.running import Running, unique

FORM = "/api/v1/forms/{form_id}"
RESPONSE = FORM + "/responses/{response_id}"
SECRET = {"new_password": "another good password"}

MATRIX = """
                                       anonymous alice bob dora charlie revoked key admin (in this order)
GET    /api/v1/api-keys                      401 200 200 200 200 401 403 200
POST   /api/v1/api-keys                      401 201 201 201 201 401 403 201
DELETE /api/v1/api-keys/{key_id}             401 204 404 404 404 401 403 204
GET    /api/v1/audit                         401 403 403 403 403 401 403 200
GET    /api/v1/forms                         401 200 200 200 200 401 403 200
POST   /api/v1/forms                         401 201 403 201 201 401 403 201
POST   /api/v1/forms/validate                401 200 403 200 200 401 403 200
DELETE FORM                                  401 204 403 403 404 401 403 204
GET    FORM                                  401 200 200 200 404 401 403 200
PATCH  FORM                                  401 200 403 200 404 401 403 200
POST   FORM/close                            401 200 403 403 404 401 403 200
POST   FORM/duplicate                        401 201 403 201 404 401 403 201
GET    FORM/links                            401 200 403 403 404 401 403 200
POST   FORM/links                            401 201 403 403 404 401 403 201
DELETE FORM/links/{link_id}                  401 204 403 403 404 401 403 204
POST   FORM/publish                          401 200 403 403 404 401 403 200
POST   FORM/reopen                           401 200 403 403 404 401 403 200
GET    FORM/responses                        401 200 200 200 404 401 403 200
POST   FORM/responses                        401 201 403 201 404 401 403 201
POST   FORM/responses/batch                  401 200 403 200 404 401 403 200
POST   FORM/responses/bulk                   401 200 403 200 404 401 403 200
DELETE FORM/responses/RESPONSE               401 204 403 204 404 401 403 204
GET    FORM/responses/RESPONSE               401 200 200 200 404 401 403 200
PATCH  FORM/responses/RESPONSE               401 200 403 200 404 401 403 200
GET    FORM/responses/RESPONSE/history       401 200 403 200 404 401 403 200
POST   FORM/responses/RESPONSE/restore       401 200 403 200 404 401 403 200
POST   FORM/restore                          401 200 404 404 404 401 403 200
GET    FORM/shares                           401 200 403 403 404 401 403 200
PUT    FORM/shares                           401 200 403 403 404 401 403 200
GET    FORM/versions                         401 200 200 200 404 401 403 200
GET    FORM/versions/{number}                401 200 200 200 404 401 403 200
GET    FORM/versions/{number}/schema.json    401 200 200 200 404 401 403 200
GET    /api/v1/users                         401 403 403 403 403 401 403 200
POST   /api/v1/users                         401 403 403 403 403 401 403 201
GET    /api/v1/users/{user_id}               401 403 403 403 403 401 403 200
PATCH  /api/v1/users/{user_id}               401 403 403 403 403 401 403 200
POST   /auth/forgot                          409 409 409 409 409 409 409 409
POST   /auth/login                           200 200 200 200 200 200 200 200
POST   /auth/logout                          401 204 204 204 204 401 403 204
GET    /auth/me                              401 200 200 200 200 401 403 200
POST   /auth/password                        401 200 200 200 200 401 403 200
POST   /auth/reset                           403 403 403 403 403 403 403 403
GET    /healthz                              200 200 200 200 200 200 200 200
GET    /readyz                               200 200 200 200 200 200 200 200
"""

BODIES: dict[str, Any] = {
    "POST /auth/login": {"username": "charlie", "password": PASSWORD},
    "POST /auth/password": {"current_password": PASSWORD, **SECRET},
    "POST /auth/forgot": {"username": "alice"},
    "POST /auth/reset": {"token": "not one of ours", **SECRET},
    "POST /api/v1/users": {"username": "{unique}", "roles": ["viewer"]},
    "PATCH /api/v1/users/{user_id}": {"email": "eve@example.org"},
    "POST /api/v1/api-keys": {"name": "robot", "scopes": ["forms:read"]},
    "POST /api/v1/forms": {"title": "Mine", "definition": FEEDBACK},
    "POST /api/v1/forms/validate": {"definition": FEEDBACK},
    f"PATCH {FORM}": {"title": "Changed"},
    f"PUT {FORM}/shares": {"shares": []},
    f"POST {FORM}/links": {"single_use": True},
    f"POST {FORM}/responses": {"data": {"name": "Ada"}},
    f"POST {FORM}/responses/bulk": {"response_ids": ["{response_id}"], "action": "tag", "value": "seen"},
    f"PATCH {RESPONSE}": {"tags": ["seen"]},
}
BEFORE = {
    f"POST {FORM}/reopen": [f"POST {FORM}/close"],
    f"POST {FORM}/restore": [f"DELETE {FORM}"],
    f"POST {RESPONSE}/restore": [f"DELETE {RESPONSE}"],
}
"""What alice does first, so that there is something to do."""
OWN_ACCOUNT = {"POST /auth/logout", "POST /auth/password"}
"""They act on whoever asks, so whoever asks is made for it."""
ROLES = {"alice": "editor", "bob": "viewer", "dora": "editor", "charlie": "editor", "admin": "admin"}
PEOPLE = ("anonymous", "alice", "bob", "dora", "charlie", "revoked", "key", "admin")


def _rows() -> dict[str, dict[str, int]]:
    _, *lines = MATRIX.strip().splitlines()
    rows = {}
    for line in lines:
        method, path, *statuses = line.split()
        full = path.replace("FORM", FORM).replace("RESPONSE", "{response_id}")
        rows[f"{method} {full}"] = dict(zip(PEOPLE, map(int, statuses), strict=True))
    return rows


@dataclass
class World:
    appliance: Running
    cast: People
    clients: dict[str, httpx.Client]
    user_ids: dict[str, str]

    def fresh(self, operation: str) -> dict[str, str]:
        """A form, a response, a link, a key and an account that nobody has touched yet."""
        alice = self.cast.alice
        form_id = publish(alice)
        form = f"/api/v1/forms/{form_id}"
        shares = [
            {"user_id": self.user_ids["bob"], "level": "view"},
            {"user_id": self.user_ids["dora"], "level": "edit"},
        ]
        assert alice.put(f"{form}/shares", json={"shares": shares}).status_code == 200
        places = {
            "form_id": form_id,
            "number": "1",
            "response_id": submit(alice, form_id).json()["response_id"],
            "link_id": alice.post(f"{form}/links", json={}).json()["link_id"],
            "key_id": add_key(alice, "forms:read")["key_id"],
            "user_id": self.user_ids["eve"],
            "unique": unique("user"),
        }
        for earlier in BEFORE.get(operation, ()):
            assert self.call(earlier, alice, places) < 300
        return places

    def call(self, operation: str, client: httpx.Client, places: dict[str, str]) -> int:
        method, _, path = operation.partition(" ")
        sent: dict[str, Any] = {}
        if operation in BODIES:
            text = json.dumps(BODIES[operation])
            for name, value in places.items():
                text = text.replace("{" + name + "}", value)
            sent = {"content": text, "headers": {"content-type": "application/json"}}
        elif operation.endswith("/batch"):
            sent = {
                "content": '{"data": {"name": "Ada"}}\n',
                "headers": {"content-type": "application/x-ndjson"},
            }
        return client.request(method, path.format(**places), **sent).status_code

    def statuses(self, operation: str) -> dict[str, int]:
        """What each person gets; whoever changed something leaves a fresh start to the next."""
        found: dict[str, int] = {}
        places = None
        for who in PEOPLE:
            places = places or self.fresh(operation)
            with ExitStack() as stack:
                client = self.clients[who]
                if operation in OWN_ACCOUNT and who in ROLES:
                    name = add(self.cast.admin, ROLES[who])["username"]
                    client = stack.enter_context(self.appliance.client(self.appliance.login(name, PASSWORD)))
                found[who] = self.call(operation, client, places)
            if found[who] < 300 and not operation.startswith("GET "):
                places = None
        return found


@pytest.fixture(scope="module")
def world(appliance: Running, cast: People) -> Iterator[World]:
    dora, eve = add(cast.admin, "editor"), add(cast.admin, "viewer")
    ended = appliance.client(appliance.login("alice", PASSWORD))
    assert ended.post("/auth/logout").status_code == 204
    clients = {
        "anonymous": cast.nobody,
        "alice": cast.alice,
        "bob": cast.bob,
        "dora": appliance.client(appliance.login(dora["username"], PASSWORD)),
        "charlie": cast.charlie,
        "revoked": ended,
        "key": appliance.client(add_key(cast.alice, "tasks")["key"]),
        "admin": cast.admin,
    }
    bob = cast.bob.get("/auth/me").json()
    yield World(
        appliance,
        cast,
        clients,
        {"bob": bob["user_id"], "dora": dora["user_id"], "eve": eve["user_id"]},
    )
    for who in ("dora", "revoked", "key"):
        clients[who].close()


def test_every_operation_has_a_row() -> None:
    assert set(_rows()) == OPERATIONS


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_who_gets_what(world: World, operation: str) -> None:
    assert world.statuses(operation) == _rows()[operation]
