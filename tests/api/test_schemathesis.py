"""Schemathesis over the published document, with all its checks: each operation by itself, then sequences.

Seeded: a failure comes back. What a check is not told, and why, is said at each place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation

from tests import models
from tests.api import exports, test_alerts, test_subjects, webhooks
from tests.api.forms import publish, submit
from tests.api.uploads import form_with_files, new_token, upload
from tests.people import PASSWORD, People
from tests.running import Running, unique

EXAMPLES = 8
NDJSON = "application/x-ndjson"
CSV = "text/csv"
SEQUENCES = 36
STEPS = 50
MALFORMED = [400, 405, 413, 414, 415, 431]
REFUSED_BY_RULES = [401, 403, 404, 409, 410, 412, 422]
"""What fits the document may be refused for what is there or is not, but is never called malformed. What does
not fit is called one or the other: a stale If-Match, say, is told before a setting that is none.
"""
TOO_LONG = ["createChatCompletion"]
"""Sequences would wait for answers of a thousand words (tests/api/test_ai.py asks for short ones)."""
UNLIKE_A_DELETION = [
    # `use_after_free` does not know of these: what is restored is there again, a deleted response is still
    # shown, as a deleted one, to whoever may restore it (tests/api/test_edits.py), and a task that was
    # cancelled is shown as that (tests/api/test_tasks.py).
    "restoreForm",
    "restoreResponse",
    "deleteResponse",
    "cancelTask",
]
NOT_EVERY_TEXT = {"opens_at", "closes_at", "time_zone"}
FOR_ADMINS = {"users", "audit", "subjects", "alerts"}
SETTINGS = hypothesis_settings(
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _cleared(cast: People) -> Iterator[None]:
    yield
    webhooks.clear(cast.alice, cast.admin)


@schemathesis.serializer(NDJSON, CSV)
def ndjson(_context: Any, lines: Any) -> bytes:
    return lines if isinstance(lines, bytes) else str(lines).encode()


def _schema(appliance: Running, document: dict[str, Any], **more: Any) -> Any:
    accepted = ["2xx", "304", *map(str, REFUSED_BY_RULES)]
    checks = {
        "positive_data_acceptance": {"expected-statuses": accepted},
        "negative_data_rejection": {
            "expected-statuses": [str(each) for each in MALFORMED + REFUSED_BY_RULES]
        },
    }
    config = SchemathesisConfig.from_dict({"seed": 3, "base-url": appliance.url, "checks": checks, **more})
    return schemathesis.openapi.from_dict(document, config=config)


@pytest.mark.parametrize("who", ["alice", "nobody", "admin"])
def test_the_document_is_true(appliance: Running, cast: People, who: str) -> None:
    models.until_at_work(appliance)
    schema = _schema(appliance, cast.nobody.get("/openapi.json").json())
    faults: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if who == "admin" and not FOR_ADMINS & set(operation.tags):
            continue  # as for alice
        for mode in GenerationMode:
            try:
                places = _places(cast) if "{" in operation.path else {}
                if "{export_id}" in operation.path:
                    places["export_id"] = exports.start(cast.alice, str(places["form_id"]))
                    exports.fetch(cast.alice, str(places["export_id"]))
                if "{alert_id}" in operation.path:
                    places["alert_id"] = test_alerts.arrived(appliance, cast.admin)["alert_id"]
                if "{erasure_id}" in operation.path:
                    subject = {"response_ids": [places["response_id"]]}
                    places["erasure_id"] = test_subjects.ask(cast.admin, subject)["erasure_id"]
                _try(operation, mode, _caller(appliance, cast, who, operation.label), places)
            except BaseExceptionGroup as fault:
                faults += [f"{operation.label}: {each}" for each in fault.exceptions]
            except Unsatisfiable:
                pass  # nothing of it could be wrong
            except Exception as fault:
                faults.append(f"{operation.label}: {fault}")
    assert not faults, "\n\n".join(faults)


def _try(
    operation: Any, mode: GenerationMode, call: Callable[[Any], object], places: dict[str, object]
) -> None:
    @seed(3)
    @hypothesis_settings(SETTINGS, max_examples=EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        if not case.meta.is_negative_at(ParameterLocation.PATH):
            known = {name: places[name] for name in case.path_parameters or () if name in places}
            case.path_parameters.update(known)
        if case.media_type in (NDJSON, CSV) and case.meta.is_negative_at(ParameterLocation.BODY):
            reject()  # a body is lines of text whatever it is, and each line is judged by itself
        if mode is GenerationMode.POSITIVE:
            _leave_what_no_schema_can_say(case)
        call(case)

    check()


def _leave_what_no_schema_can_say(case: Any) -> None:
    # That a cursor is one which this list gave out.
    (case.query or {}).pop("cursor", None)
    # That times, time zone and characters of a form's settings make sense (services/form_settings.py).
    if isinstance(case.body, dict) and isinstance(settings := case.body.get("settings"), dict):
        senseless = {each for each in settings if each in NOT_EVERY_TEXT or not _printable(settings[each])}
        for name in senseless:
            del settings[name]
    # That a URL is one that can be called; nobody listens there.
    if isinstance(case.body, dict) and "url" in case.body:
        case.body["url"] = "http://127.0.0.1:9/"
    for sent in (case.body, case.query):
        if isinstance(sent, dict) and "webhook_url" in sent:
            sent["webhook_url"] = "http://127.0.0.1:9/"
    # That nobody here waits for more than two words.
    if isinstance(case.body, dict) and "messages" in case.body:
        case.body["max_tokens"] = 2
        case.body.pop("max_completion_tokens", None)
    # That an integer is written as one: 1.0 is one to JSON Schema, and none to the appliance.
    case.body = _whole(case.body)


def _printable(value: Any) -> bool:
    return json.dumps(value, ensure_ascii=False).isprintable()


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return [_whole(each) for each in value] if isinstance(value, list) else value


def _places(cast: People) -> dict[str, object]:
    """Things that exist, for the paths: of ids made up, nothing but 404 would be learned."""
    form_id = publish(cast.alice, public=True)
    key = cast.alice.post("/api/v1/api-keys", json={"name": "a key", "scopes": ["forms:read"]})
    return {
        "form_id": form_id,
        "response_id": submit(cast.nobody, form_id).json()["response_id"],
        "number": 1,
        "file_id": upload(cast.nobody, form_with_files(cast.alice)).json()["file_id"],
        "token": new_token(),
        "link_id": cast.alice.post(f"/api/v1/forms/{form_id}/links", json={}).json()["link_id"],
        "key_id": key.json()["key_id"],
        "user_id": _new_user(cast)["user_id"],
        **_webhook(cast, form_id),
    }


def _webhook(cast: People, form_id: str) -> dict[str, object]:
    webhooks.clear(cast.alice)  # she may have so many only
    made = webhooks.create(cast.alice, "http://127.0.0.1:9/", form_id=form_id)
    path = f"{webhooks.PATH}/{made['webhook_id']}"
    cast.alice.post(f"{path}/test").raise_for_status()
    [delivery] = cast.alice.get(f"{path}/deliveries").json()["deliveries"]
    return {"webhook_id": made["webhook_id"], "delivery_id": delivery["delivery_id"]}


def _new_user(cast: People, **more: Any) -> dict[str, Any]:
    answer = cast.admin.post("/api/v1/users", json={"username": unique("user"), "roles": ["viewer"], **more})
    assert answer.status_code == 201, answer.text
    user: dict[str, Any] = answer.json()
    return user


def _caller(appliance: Running, cast: People, who: str, label: str) -> Callable[[Any], object]:
    """Calls a case as somebody, and checks the answer."""
    if who == "alice" and label == "POST /auth/logout":
        # Each time from a session that may end.
        return lambda case: _call(case, _bearer(appliance.login("alice", PASSWORD)))
    if who == "alice" and label == "POST /auth/password":
        username = _new_user(cast, password=PASSWORD)["username"]
        return _PasswordChanger(_bearer(appliance.login(username, PASSWORD)))
    client: httpx.Client = getattr(cast, who)
    headers = {} if who == "nobody" else {"Authorization": client.headers["authorization"]}
    return lambda case: _call(case, headers)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _call(case: Any, headers: dict[str, str]) -> int:
    status: int = case.call_and_validate(headers=headers).status_code
    return status


@dataclass
class _PasswordChanger:
    """Of an account of its own, with the password that it has: made-up ones would only be refused."""

    headers: dict[str, str]
    password: str = PASSWORD

    def __call__(self, case: Any) -> None:
        if not case.meta.is_negative_at(ParameterLocation.BODY):
            case.body["current_password"] = self.password
        if _call(case, self.headers) == 200:
            self.password = case.body["new_password"]


def test_sequences(appliance: Running, cast: People, tmp_path: Path) -> None:
    """Along the document's links, as alice: what was made is there, what was deleted is gone, and charlie,
    whom she shares nothing with, sees none of it.
    """
    schema = _schema(
        appliance,
        _narrowed(cast.nobody.get("/openapi.json").json()),
        auth={"wfc": {"path": _identities(cast, tmp_path), "user": "alice", "peers": ["alice", "charlie"]}},
        generation={"mode": "positive"},
        phases={"stateful": {"inference": {"algorithms": []}}},
    )
    machine: Any = schema.exclude(operation_id=UNLIKE_A_DELETION + TOO_LONG).as_state_machine()
    seen: set[tuple[str, int]] = set()

    class Sequences(machine):  # type: ignore[misc]
        def after_call(self, response: Any, case: Any) -> None:
            super().after_call(response, case)
            seen.add((case.operation.definition.raw["operationId"], response.status_code))

    bounds = hypothesis_settings(SETTINGS, max_examples=SEQUENCES, stateful_step_count=STEPS)
    seed(3)(Sequences).run(settings=bounds)
    assert seen >= {
        ("getForm", 200),
        ("deleteForm", 204),
        ("getForm", 404),
        ("listVersions", 404),
        ("submit", 201),
        ("deleteKey", 204),
        ("withdrawLink", 204),
    }


def _identities(cast: People, folder: Path) -> str:
    """In the format of Web Fuzzing Commons, the one in which Schemathesis takes several of them."""
    path = folder / "identities.json"
    entries = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": client.headers["authorization"]}]}
        for name, client in (("alice", cast.alice), ("charlie", cast.charlie))
    ]
    path.write_text(json.dumps({"auth": entries}))
    return str(path)


def _narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """For sequences that get far: the document's own examples as bodies, no parameters but required ones.

    `ensure_resource_availability` also wants it so: it judges calls of which links give all parameters.
    """
    schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            kept = [each for each in operation.pop("parameters", []) if each["required"]]
            operation["parameters"] = kept
            for content in operation.get("requestBody", {}).get("content", {}).values():
                shape = content["schema"].get("$ref", "").rpartition("/")[2]
                content["schema"] = {"enum": schemas[shape]["examples"] if shape else [content["example"]]}
            for response in operation["responses"].values():
                for link in response.get("links", {}).values():
                    link["parameters"].pop("X-Form-Link", None)
    return document
