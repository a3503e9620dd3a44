from __future__ import annotations

import json

import httpx
import pytest

from tests.api.forms import FEEDBACK, create, publish
from tests.people import People

SHAPE = {"type", "title", "status", "detail", "instance", "request_id"}


def _is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert set(body) >= SHAPE
    assert set(body) <= SHAPE | {"errors"}
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]


NESTED = '{"title":"x","definition":' + '{"a":' * 6000 + "1" + "}" * 6000 + "}"
LIST = '{"title":"x","definition":' + "[" * 15000 + "]" * 15000 + "}"


@pytest.mark.parametrize(
    "content, status",
    [
        (NESTED, 400),
        (LIST, 400),
        ("[" * 30000, 400),
        ("", 400),
        ("{", 400),
        ("null", 400),
        ('{"title": "\ud800"}'.encode("utf-8", "surrogatepass"), 400),
        (b"\xff\xfe", 400),
        ('{"title": 1e999, "definition": {}}', 400),
        ('{"title":"x","definition":{"elements":[]}}', 422),
        (json.dumps({"title": "x" * 500, "definition": FEEDBACK}), 400),
    ],
)
def test_a_body_that_cannot_be_read(cast: People, content: str | bytes, status: int) -> None:
    headers = {"content-type": "application/json"}
    _is_problem(cast.alice.post("/api/v1/forms", content=content, headers=headers), status)


@pytest.mark.parametrize(
    "shape",
    [
        NESTED.replace('"title":"x","definition"', '"data"'),
        LIST.replace('"title":"x","definition"', '"data"'),
    ],
)
def test_deep_answers_are_refused(cast: People, shape: str) -> None:
    form_id = publish(cast.alice, public=True)
    headers = {"content-type": "application/json"}
    _is_problem(cast.nobody.post(f"/api/v1/forms/{form_id}/responses", content=shape, headers=headers), 400)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_only_json_is_taken(cast: People, content_type: str) -> None:
    answer = cast.alice.post("/api/v1/forms", content=b"{}", headers={"content-type": content_type})
    _is_problem(answer, 415)


def test_json_with_a_charset_is_json(cast: People) -> None:
    body = json.dumps({"title": "x", "definition": FEEDBACK})
    for content_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.api+json"):
        assert (
            cast.alice.post("/api/v1/forms", content=body, headers={"content-type": content_type}).status_code
            == 201
        )


def test_paths_and_methods(cast: People) -> None:
    _is_problem(cast.alice.get("/api/v1/nothing"), 404)
    _is_problem(cast.alice.get("/api/v1/forms/" + "x" * 500), 400)
    answer = cast.alice.delete("/auth/login")
    _is_problem(answer, 405)
    assert "POST" in answer.headers["allow"]


def test_head_is_get_without_a_body(cast: People) -> None:
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json", "/api/v1/forms"):
        head, full = cast.alice.head(path), cast.alice.get(path)
        assert (head.status_code, head.content) == (full.status_code, b""), path
        assert head.headers["content-type"] == full.headers["content-type"]


def test_no_database_operator_gets_through(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}/responses"
    for name in ({"$gt": ""}, {"$ne": None}, ["a"], 5, None):
        answer = cast.nobody.post(path, json={"data": {"name": name}})
        _is_problem(answer, 422)
    _is_problem(cast.nobody.post(path, json={"data": {"$where": "1", "name": "x"}}), 422)
    _is_problem(cast.alice.get("/api/v1/forms", params={"status": "$ne"}), 400)
    assert cast.alice.get("/api/v1/forms", params={"q": ".*"}).json()["forms"] == []
    assert cast.alice.get("/api/v1/forms", params={"q": "(((("}).status_code == 200


def test_request_ids(cast: People) -> None:
    mine = cast.alice.get("/api/v1/forms", headers={"x-request-id": "my-id.1"})
    assert mine.headers.get_list("x-request-id") == ["my-id.1"]
    for insane in ("a b", "x" * 65, 'x"y', "<script>"):
        answer = cast.alice.get("/api/v1/forms", headers={"x-request-id": insane})
        assert answer.headers["x-request-id"] != insane


def test_every_answer_to_a_signed_in_caller_is_private(cast: People) -> None:
    form_id = publish(cast.alice)
    paths = [
        "/api/v1/forms",
        f"/api/v1/forms/{form_id}",
        f"/api/v1/forms/{form_id}/responses",
        "/api/v1/forms/x",
    ]
    for path in paths:
        control = cast.alice.get(path).headers["cache-control"]
        assert "no-store" in control or "no-cache" in control, path


@pytest.mark.parametrize(
    "name, value, path, words",
    [
        ("theme", "dark", "theme", ("'dark'", "one of borderless, contrast, default, flat")),
        ("appearance", "black", "appearance", ("one of auto, dark, light",)),
        ("redirect_url", "example.org", "redirect_url", ("begins with https:// or http://",)),
        ("frame_ancestors", ["https://a.org", "a b"], "frame_ancestors/1", ("https://www.example.org",)),
        ("notify", ["nobody"], "notify/0", ("must be an e-mail address",)),
        ("pin", "1", "pin", ("4 to 64",)),
        ("language", "de_DE", "language", ("pt-BR",)),
        ("notify_template", {"subject": "a\nb"}, "notify_template/subject", ("one line of text",)),
        ("max_responses", "many", "max_responses", ("Expected `int",)),
        ("colour", "red", "colour", ("unknown field `colour`",)),
    ],
)
def test_settings_are_refused_in_words(
    cast: People, name: str, value: object, path: str, words: tuple[str, ...]
) -> None:
    form_id = create(cast.alice)["form_id"]
    changed = cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {name: value}})
    body = {"title": "x", "definition": FEEDBACK, "settings": {name: value}}
    made = cast.alice.post("/api/v1/forms", json=body)
    for answer in (changed, made):
        _is_problem(answer, 400)
        (fault,) = answer.json()["errors"]
        assert fault["path"] == f"/settings/{path}"
        assert all(each in fault["message"] for each in words), fault
        assert "regex" not in fault["message"] and "\\" not in fault["message"]


def test_choices_in_bodies_are_listed(cast: People) -> None:
    form_id = publish(cast.alice)
    answer = cast.alice.post(f"/api/v1/forms/{form_id}/exports", json={"format": "pdf"})
    _is_problem(answer, 400)
    message = "Invalid enum value 'pdf': must be one of csv, ndjson, parquet, xlsx"
    assert answer.json()["errors"] == [{"path": "/format", "message": message}]


def test_parameters_are_named_as_callers_send_them(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    files, exported = f"/api/v1/forms/{form_id}/files", f"/api/v1/forms/{form_id}/export"
    wrong = "Invalid enum value"
    for answer, path, message in (
        (cast.alice.post("/api/v1/forms/import"), "/from", "is required"),
        (cast.alice.post("/api/v1/forms/import?from=excel"), "/from", f"{wrong} 'excel': must be one of "),
        (cast.nobody.post(files, content=b"x"), "/question", "is required"),
        (cast.alice.get(f"{exported}?format=pdf"), "/format", f"{wrong} 'pdf': must be one of csv, "),
        (cast.alice.get(f"{exported}?status=new"), "/status", "accepted, deleted, flagged"),
        (cast.alice.get("/api/v1/forms?limit=x"), "/limit", "Expected `int"),
        (
            cast.nobody.put(f"/api/v1/forms/{form_id}/partial/x", json={"data": {}}),
            "/token",
            "must be the secret",
        ),
    ):
        _is_problem(answer, 400)
        (fault,) = answer.json()["errors"]
        assert fault["path"] == path
        assert message in fault["message"]


def test_a_body_that_is_not_there(cast: People) -> None:
    answer = cast.alice.post("/api/v1/forms")
    _is_problem(answer, 400)
    assert answer.json()["detail"] == "A JSON body is needed."
    assert answer.json()["errors"] == [{"path": "", "message": "is required"}]
