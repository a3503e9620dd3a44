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

from tests.api import exports
from tests.api.accounts import add, add_key
from tests.api.forms import FEEDBACK, publish, submit
from tests.api.tasks import until_status, waiting, write_dead_letter
from tests.api.test_documents import OPERATIONS
from tests.api.uploads import PNG, form_with_files, new_token, upload
from tests.mailbox import BUSY
from tests.people import PASSWORD, People
from tests.running import Running, unique
from tests.runtime.servers import free_port

FORM = "/api/v1/forms/{form_id}"
RESPONSE = FORM + "/responses/{response_id}"
HOOK = "/api/v1/webhooks/{webhook_id}"
SECRET = {"new_password": "another good password"}

MATRIX = """
                                       anonymous alice bob dora charlie revoked key admin (in this order)
GET    /api/v1/analytics/daily               401 200 200 200 200 401 403 200
GET    /api/v1/analytics/activity            401 200 200 200 200 401 403 200
GET    /api/v1/analytics/forms/{form_id}     401 200 200 200 404 401 403 200
GET    /api/v1/analytics/queries             401 200 200 200 200 401 403 200
GET    /api/v1/analytics/queries/{query_name} 401 200 200 200 200 401 403 200
POST   /api/v1/analytics/query               401 403 403 403 403 401 403 200
POST   /api/v1/analytics/run                 401 403 403 403 403 401 403 202
GET    /api/v1/analytics/runs                401 403 403 403 403 401 403 200
GET    /api/v1/api-keys                      401 200 200 200 200 401 403 200
POST   /api/v1/api-keys                      401 201 201 201 201 401 403 201
DELETE /api/v1/api-keys/{key_id}             401 204 404 404 404 401 403 204
GET    /api/v1/audit                         401 403 403 403 403 401 403 200
GET    /api/v1/dead-letters                  401 200 200 200 200 401 403 200
GET    /api/v1/dead-letters/{task_id}        401 200 403 403 404 401 403 200
DELETE /api/v1/dead-letters/{task_id}        401 204 403 403 404 401 403 204
POST   /api/v1/dead-letters/{task_id}/replay 401 202 403 403 404 401 403 202
GET    /api/v1/subjects                      401 403 403 403 403 401 403 200
POST   /api/v1/subjects                      401 403 403 403 403 401 403 202
GET    /api/v1/subjects/{erasure_id}         401 403 403 403 403 401 403 200
POST   /api/v1/subjects/{erasure_id}/confirm 401 403 403 403 403 401 403 202
GET    /api/v1/subjects/{erasure_id}/export  401 403 403 403 403 401 403 200
GET    /api/v1/forms                         401 200 200 200 200 401 403 200
POST   /api/v1/forms                         401 201 403 201 201 401 403 201
POST   /api/v1/forms/validate                401 200 403 200 200 401 403 200
POST   /api/v1/forms/import                  401 201 403 201 201 401 403 201
GET    /api/v1/exports/{export_id}           401 200 404 404 404 401 403 200
DELETE FORM                                  401 204 403 403 404 401 403 204
GET    FORM                                  401 200 200 200 404 401 403 200
PATCH  FORM                                  401 200 403 200 404 401 403 200
POST   FORM/close                            401 200 403 403 404 401 403 200
POST   FORM/duplicate                        401 201 403 201 404 401 403 201
POST   FORM/files                            401 201 403 201 404 401 403 201
GET    FORM/files/{file_id}                  401 200 200 200 404 401 403 200
GET    FORM/export                           401 200 200 200 404 401 403 200
POST   FORM/exports                          401 202 202 202 404 401 403 202
GET    FORM/links                            401 200 403 403 404 401 403 200
POST   FORM/analyze                          401 202 403 202 404 401 403 202
GET    FORM/insights                         401 404 404 404 404 401 403 404
GET    FORM/insights/responses               401 200 200 200 404 401 403 200
GET    FORM/search                           401 200 200 200 404 401 403 200
POST   FORM/links                            401 201 403 403 404 401 403 201
DELETE FORM/links/{link_id}                  401 204 403 403 404 401 403 204
GET    FORM/partial/{token}                  401 200 403 200 404 401 403 200
PUT    FORM/partial/{token}                  401 201 403 201 404 401 403 201
DELETE FORM/partial/{token}                  401 204 403 204 404 401 403 204
POST   FORM/publish                          401 200 403 403 404 401 403 200
POST   FORM/reopen                           401 200 403 403 404 401 403 200
GET    FORM/responses                        401 200 200 200 404 401 403 200
POST   FORM/responses                        401 201 403 201 404 401 403 201
POST   FORM/responses/batch                  401 200 403 200 404 401 403 200
POST   FORM/responses/bulk                   401 200 403 200 404 401 403 200
POST   FORM/responses/import                 401 202 403 202 404 401 403 202
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
GET    /api/v1/alerts                        401 403 403 403 403 401 403 200
GET    /api/v1/alerts/{alert_id}             401 403 403 403 403 401 403 404
POST   /api/v1/alerts/{alert_id}/acknowledge 401 403 403 403 403 401 403 404
DELETE /api/v1/alerts/{alert_id}/acknowledge 401 403 403 403 403 401 403 404
POST   /api/v1/alerts/{alert_id}/silence     401 403 403 403 403 401 403 404
DELETE /api/v1/alerts/{alert_id}/silence     401 403 403 403 403 401 403 404
GET    /api/v1/metrics/query                 401 403 403 403 403 401 403 400
GET    /api/v1/metrics/query_range           401 403 403 403 403 401 403 400
GET    /api/v1/queues                        401 200 200 200 200 401 403 200
POST   /api/v1/queues/{queue}/pause          401 403 403 403 403 401 403 200
POST   /api/v1/queues/{queue}/resume         401 403 403 403 403 401 403 200
GET    /api/v1/system                        401 403 403 403 403 401 403 200
GET    /api/v1/system/backups                401 403 403 403 403 401 403 200
POST   /api/v1/system/backups                401 403 403 403 403 401 403 202
GET    /api/v1/system/certificates           401 403 403 403 403 401 403 200
GET    /api/v1/system/doctor                 401 403 403 403 403 401 403 200
GET    /api/v1/system/logs                   401 403 403 403 403 401 403 200
GET    /api/v1/system/secrets                401 403 403 403 403 401 403 200
POST   /api/v1/system/secrets/{name}/rotate  401 403 403 403 403 401 403 200
POST   /api/v1/system/services/{name}/restart 401 403 403 403 403 401 403 202
GET    /api/v1/tasks                         401 200 200 200 200 401 403 200
GET    /api/v1/tasks/{task_id}               401 200 403 200 404 401 403 200
DELETE /api/v1/tasks/{task_id}               401 204 403 204 404 401 403 204
GET    /api/v1/tasks/{task_id}/events        401 200 403 200 404 401 403 200
GET    /api/v1/users                         401 403 403 403 403 401 403 200
POST   /api/v1/users                         401 403 403 403 403 401 403 201
GET    /api/v1/users/{user_id}               401 403 403 403 403 401 403 200
PATCH  /api/v1/users/{user_id}               401 403 403 403 403 401 403 200
GET    /api/v1/webhooks                      401 200 200 200 200 401 403 200
POST   /api/v1/webhooks                      401 201 403 403 404 401 403 201
GET    HOOK                                  401 200 404 404 404 401 403 200
PATCH  HOOK                                  401 200 404 404 404 401 403 200
DELETE HOOK                                  401 204 404 404 404 401 403 204
POST   HOOK/rotate                           401 200 404 404 404 401 403 200
POST   HOOK/test                             401 200 404 404 404 401 403 200
GET    HOOK/deliveries                       401 200 404 404 404 401 403 200
POST   HOOK/deliveries/DELIVERY/redeliver    401 202 404 404 404 401 403 202
POST   /api/v1/webhooks/deliveries/DELIVERY/redeliver 401 202 404 404 404 401 403 202
POST   /v1/chat/completions                  401 400 403 400 400 401 403 400
POST   /v1/embeddings                        401 400 403 400 400 401 403 400
GET    /v1/models                            401 200 200 200 200 401 403 200
GET    /v1/models/{model}                    401 404 404 404 404 401 403 404
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
    "POST /api/v1/subjects": {"subject": {"answer": "nobody at all"}},
    "POST /api/v1/forms": {"title": "Mine", "definition": FEEDBACK},
    "POST /api/v1/forms/validate": {"definition": FEEDBACK},
    f"PATCH {FORM}": {"title": "Changed"},
    f"PUT {FORM}/shares": {"shares": []},
    f"POST {FORM}/links": {"single_use": True},
    f"POST {FORM}/exports": {"format": "csv"},
    f"POST {FORM}/analyze": {},
    f"POST {FORM}/responses": {"data": {"name": "Ada"}},
    f"PUT {FORM}/partial/{{token}}": {"data": {"name": "A"}},
    f"POST {FORM}/responses/bulk": {"response_ids": ["{response_id}"], "action": "tag", "value": "seen"},
    f"PATCH {RESPONSE}": {"tags": ["seen"]},
    "POST /api/v1/analytics/query": {"sql": "SELECT count(*) FROM responses"},
    "POST /api/v1/alerts/{alert_id}/acknowledge": {"note": "I am at it"},
    "POST /api/v1/alerts/{alert_id}/silence": {"seconds": 600},
    "POST /api/v1/webhooks": {
        "url": "https://example.org/",
        "events": ["response.created"],
        "form_id": "{form_id}",
    },
    f"PATCH {HOOK}": {"status": "disabled"},
}
BEFORE = {
    f"POST {FORM}/reopen": [f"POST {FORM}/close"],
    f"POST {FORM}/restore": [f"DELETE {FORM}"],
    f"POST {RESPONSE}/restore": [f"DELETE {RESPONSE}"],
    f"GET {FORM}/partial/{{token}}": [f"PUT {FORM}/partial/{{token}}"],
    f"DELETE {FORM}/partial/{{token}}": [f"PUT {FORM}/partial/{{token}}"],
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
        full = full.replace("HOOK", HOOK).replace("DELIVERY", "{delivery_id}")
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
        form_id = form_with_files(alice, public=False) if "/files" in operation else publish(alice)
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
            "queue": "batched",
            "query_name": "daily",
            "model": "not one of ours",
            "alert_id": "0-0",
            "name": "redis-exporter" if "/services/" in operation else "backup",
            "token": new_token(),
        }
        if "{file_id}" in operation:
            places["file_id"] = upload(alice, form_id).json()["file_id"]
        if "{webhook_id}" in operation or "{delivery_id}" in operation:
            places |= self._webhook(form_id, with_log="{delivery_id}" in operation)
        if "{erasure_id}" in operation:
            places["erasure_id"] = self._erasure(places["response_id"])
        if "{export_id}" in operation:
            places["export_id"] = self._export(form_id)
        if "{task_id}" in operation:
            places["task_id"] = self._task(operation, form_id)
        for earlier in BEFORE.get(operation, ()):
            assert self.call(earlier, alice, places) < 300
        return places

    def _webhook(self, form_id: str, *, with_log: bool) -> dict[str, str]:
        """Of alice's, to where nobody listens."""
        body = {"url": f"http://127.0.0.1:{free_port()}/", "events": ["response.created"], "form_id": form_id}
        webhook_id = self.cast.alice.post("/api/v1/webhooks", json=body).json()["webhook_id"]
        if not with_log:
            return {"webhook_id": webhook_id}
        path = f"/api/v1/webhooks/{webhook_id}"
        assert self.cast.alice.post(f"{path}/test").status_code == 200
        [delivery] = self.cast.alice.get(f"{path}/deliveries").json()["deliveries"]
        return {"webhook_id": webhook_id, "delivery_id": delivery["delivery_id"]}

    def _erasure(self, response_id: str) -> str:
        """One that was looked for."""
        body = {"subject": {"response_ids": [response_id]}}
        erasure_id = self.cast.admin.post("/api/v1/subjects", json=body).json()["task_id"]
        until_status(self.cast.admin, erasure_id, "completed")
        return str(erasure_id)

    def _export(self, form_id: str) -> str:
        """One of alice's that is ready."""
        export_id = exports.start(self.cast.alice, form_id)
        exports.fetch(self.cast.alice, export_id)
        return export_id

    def _task(self, operation: str, form_id: str) -> str:
        """One that waits for its next try; for dead letters one that has none left."""
        alice = self.cast.alice
        notified = alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {"notify": [BUSY]}})
        assert notified.status_code == 200
        _, response_id, task_id = waiting(alice, form_id)
        if "dead-letters" in operation:
            write_dead_letter(self.appliance, task_id, form_id, response_id)
        return task_id

    def call(self, operation: str, client: httpx.Client, places: dict[str, str]) -> int:
        method, _, path = operation.partition(" ")
        sent: dict[str, Any] = {}
        if operation in BODIES:
            text = json.dumps(BODIES[operation])
            for name, value in places.items():
                text = text.replace("{" + name + "}", value)
            sent = {"content": text, "headers": {"content-type": "application/json"}}
        elif operation.endswith("/forms/import"):
            sent = {
                "params": {"from": "jsonschema"},
                "content": '{"properties": {"name": {"type": "string"}}}',
                "headers": {"content-type": "application/json"},
            }
        elif operation.endswith("/search"):
            path += "?q=a long wait"
        elif operation.endswith("/files"):
            path += "?question=photos"
            sent = {"content": PNG, "headers": {"content-type": "image/png"}}
        elif operation.endswith(("/batch", "/responses/import")):
            sent = {
                "content": '{"data": {"name": "Ada"}}\n',
                "headers": {"content-type": "application/x-ndjson"},
            }
        with client.stream(method, path.format(**places), **sent) as answer:  # one of them has no end
            return answer.status_code

    def statuses(self, operation: str) -> dict[str, int]:
        """What each person gets; whoever changed something leaves a fresh start to the next."""
        found: dict[str, int] = {}
        places = None
        for who in PEOPLE:
            places = places or self.fresh(operation)
            with ExitStack() as stack:
                client = self.clients[who]
                if who == "key" and "/analytics/" in operation:
                    client = self.clients["key for ai"]
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
        "key": appliance.client(add_key(cast.alice, "analytics")["key"]),
        "key for ai": appliance.client(add_key(cast.alice, "ai")["key"]),
        "admin": cast.admin,
    }
    bob = cast.bob.get("/auth/me").json()
    yield World(
        appliance,
        cast,
        clients,
        {"bob": bob["user_id"], "dora": dora["user_id"], "eve": eve["user_id"]},
    )
    for who in ("dora", "revoked", "key", "key for ai"):
        clients[who].close()


def test_every_operation_has_a_row() -> None:
    assert set(_rows()) == OPERATIONS


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_who_gets_what(world: World, operation: str) -> None:
    assert world.statuses(operation) == _rows()[operation]
