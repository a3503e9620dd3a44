"""The published document: readable, true to the routes, and good enough to generate a client from."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from appliance.api import examples
from appliance.app import create_litestar
from tests.people import PASSWORD, People
from tests.running import Running

METHODS = ("get", "post", "put", "patch", "delete")
READS = {
    "Idempotency-Key": ("idempotency_key()",),
    "If-Match": ("if_match()",),
    "If-None-Match": ("cached(request", "is_current("),
    "X-Form-Pin": ('"x-form-pin"', "request.visit("),
    "X-Form-Link": ('"x-form-link"', "request.visit("),
    "X-Partial-Token": ('"x-partial-token"',),
}
"""How a handler reads a header."""
BY_LINES = ("application/x-ndjson", "text/csv")


@pytest.fixture(scope="module")
def document(cast: People) -> dict[str, Any]:
    found: dict[str, Any] = cast.nobody.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def test_operations_read_well(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert "createForm" in ids
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert operation["description"][0].isupper(), name
        assert set(operation["tags"]) <= tags, name


def test_every_error_is_the_one_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400 and (name, status) != ("GET /readyz", "503"):
                assert response == {"$ref": f"#/components/responses/Problem{status}"}, (name, status)
    for problem in document["components"]["responses"].values():
        assert list(problem["content"]) == ["application/problem+json"]


def test_every_body_has_an_example_that_is_valid(document: dict[str, Any]) -> None:
    components = {"components": document["components"]}
    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        shape = content["schema"]["$ref"].rpartition("/")[2]
        [example] = document["components"]["schemas"][shape]["examples"]
        validator_for({**content["schema"], **components}).validate(example)
        assert example, name


def test_every_body_that_is_read_is_told(document: dict[str, Any]) -> None:
    """Also the one that no handler has as its `data`."""
    batch = document["paths"]["/api/v1/forms/{form_id}/responses/batch"]["post"]["requestBody"]
    assert batch["required"] and list(batch["content"]) == ["application/x-ndjson"]
    link = document["paths"]["/api/v1/forms/{form_id}/links"]["post"]["requestBody"]
    assert link["required"], "though all of it has defaults"
    file = document["paths"]["/api/v1/forms/{form_id}/responses/import"]["post"]["requestBody"]
    assert file["required"] and set(file["content"]) == set(BY_LINES)


def test_fields_that_go_together(document: dict[str, Any]) -> None:
    def fits(shape: str, **body: Any) -> bool:
        schema = {"$ref": f"#/components/schemas/{shape}", "components": document["components"]}
        return validator_for(schema).is_valid(body)

    assert fits("CreateForm", title="t", definition={}) and fits("CreateForm", title="t", schema={})
    assert not fits("CreateForm", title="t") and not fits("CreateForm", title="t", definition={}, schema={})
    assert (
        fits("JudgeForm", schema={})
        and not fits("JudgeForm")
        and not fits("JudgeForm", schema={}, definition={})
    )
    assert fits("ChangeForm", settings={"public": None, "pin": "1234"})
    assert not fits("ChangeForm", settings={"pubic": True})
    assert fits("Silence", seconds=60) and not fits("Silence") and not fits("Silence", seconds=1)
    ids = {"response_ids": ["a"]}
    assert fits("Bulk", action="delete", **ids) and not fits("Bulk", action="delete", value="x", **ids)
    assert fits("Bulk", action="tag", value="x", **ids) and not fits("Bulk", action="tag", **ids)
    assert fits("Bulk", action="set_status", value="flagged", **ids)
    assert not fits("Bulk", action="set_status", value="x", **ids)
    assert not fits("CreateUser", username="anna\n", roles=["viewer"])


def test_links_lead_to_operations_with_what_these_take(document: dict[str, Any]) -> None:
    named = {operation["operationId"]: operation for _, operation in operations(document)}
    links = [
        link
        for operation in named.values()
        for response in operation["responses"].values()
        for link in response.get("links", {}).values()
    ]
    assert {"getForm", "deleteForm", "getResponse", "getUser", "deleteKey"} <= {
        link["operationId"] for link in links
    }
    for link in links:
        taken = {each["name"]: each["required"] for each in named[link["operationId"]]["parameters"]}
        needed = {name for name, required in taken.items() if required}
        assert needed <= set(link["parameters"]) <= set(taken), link


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_headers_are_documented_where_they_are_read(appliance: Running) -> None:
    app = create_litestar(appliance.settings)
    handlers: dict[str, HTTPRouteHandler] = {
        handler.fn.__name__: handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.include_in_schema
    }
    read = {
        name: {
            header
            for header, ways in READS.items()
            if any(way in inspect.getsource(handler.fn) for way in ways)
        }
        for name, handler in handlers.items()
    }
    assert {name: set(examples.headers_of(name)) for name in handlers} == read


USE = f"""
import sys
from client import Client, AuthenticatedClient
from client.api.auth import login
from client.api.forms import create_form, list_forms, publish_form
from client.api.responses import list_responses, submit
from client.models import CreateForm, CreateFormDefinition, Credentials, FormSettings, Submission

url = sys.argv[1]
session = login.sync(client=Client(url), body=Credentials(username="alice", password={PASSWORD!r}))
client = AuthenticatedClient(url, token=session.token)
definition = CreateFormDefinition.from_dict({{"elements": [{{"type": "text", "name": "name"}}]}})
body = CreateForm(title="Generated", definition=definition, settings=FormSettings(public=True))
form = create_form.sync(client=client, body=body)
published = publish_form.sync(form.form_id, client=client)
assert published.status == "published" and published.settings.public is True
done = submit.sync(form.form_id, client=Client(url), body=Submission(data={{"name": "Ada"}}))
[row] = list_responses.sync(form.form_id, client=client).responses
assert row.response_id == done.response_id and row.data["name"] == "Ada"
assert form.form_id in [each.form_id for each in list_forms.sync(client=client).forms]
refused = create_form.sync_detailed(client=Client(url), body=body)
assert refused.status_code == 401 and refused.parsed.title == "Not authenticated"
"""


def test_a_generated_client_works(appliance: Running, document: dict[str, Any], tmp_path: Path) -> None:
    source = tmp_path / "openapi.json"
    source.write_text(json.dumps(document))
    generator: list[str | Path] = [Path(sys.executable).with_name("openapi-python-client"), "generate"]
    config = tmp_path / "config.json"  # the generator knows no JSON by lines, so clients take it as it comes
    config.write_text(
        json.dumps({"content_type_overrides": dict.fromkeys(BY_LINES, "application/octet-stream")})
    )
    options: list[str | Path] = ["--path", source, "--output-path", tmp_path / "client", "--config", config]
    made = subprocess.run(
        [*generator, *options, "--meta", "none", "--fail-on-warning"],
        env={"PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    command = [sys.executable, "-c", USE, appliance.url]
    used = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert used.returncode == 0, used.stdout + used.stderr
