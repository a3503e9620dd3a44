from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.forms import FEEDBACK, create, errors, publish, submit, walk
from tests.people import People
from tests.running import Running

PERSON: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://example.org/person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "pattern": "^(a+)+$|^[A-Z]"},
        "age": {"type": "integer", "minimum": 0},
        "address": {"$ref": "#/$defs/address"},
        "born": {"type": "string", "format": "date"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {
        "address": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    },
}


def make(client: Any, schema: dict[str, Any], **settings: Any) -> str:
    """The id of a new published form."""
    body = {"title": "by schema", "schema": schema, "settings": settings}
    made = client.post("/api/v1/forms", json=body)
    assert made.status_code == 201, made.text
    form_id = str(made.json()["form_id"])
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


def chain(length: int, **root: Any) -> dict[str, Any]:
    """Twice as much work with each step."""
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(length)}
    return {"$ref": "#/$defs/s0", "$defs": {**steps, f"s{length}": {"type": "object"}}, **root}


def test_a_form_by_schema_lives(cast: People) -> None:
    form_id = make(cast.alice, PERSON, public=True)
    path = f"/api/v1/forms/{form_id}"
    assert cast.alice.get(path).json()["schema"] == PERSON
    assert "definition" not in cast.alice.get(path).json()
    assert cast.nobody.get(path).json()["schema"] == PERSON
    assert cast.alice.get(f"{path}/versions/1").json()["schema"] == PERSON
    assert cast.alice.get(f"{path}/versions/1/schema.json").json() == PERSON
    stored = submit(cast.nobody, form_id, age=36, address={"city": "Oslo"})
    assert stored.status_code == 201
    assert cast.alice.get(stored.headers["location"]).json()["data"]["address"] == {"city": "Oslo"}
    wrong = submit(cast.nobody, form_id, name="", age="old", address={}, born="never", extra=1)
    assert wrong.status_code == 422
    assert set(errors(wrong)) == {
        "/data/name", "/data/age", "/data/address/city", "/data/born", "/data/extra",
    }  # fmt: skip
    assert list(errors(submit(cast.nobody, form_id, address={"city": "x", "$ref": "y", "$id": "z"}))) == [
        "/data/address/$ref", "/data/address/$id",
    ]  # fmt: skip
    rows = f"{path}/responses"
    assert len(walk(cast.alice, rows, "responses", **{"filter.age": "36"})) == 1
    assert walk(cast.alice, rows, "responses", **{"filter.age": "37"}) == []
    assert cast.alice.get(rows, params={"filter.other": "1"}).status_code == 400
    edited = cast.alice.patch(stored.headers["location"], json={"data": {"name": "Bea", "age": -1}})
    assert list(errors(edited)) == ["/data/age"]


def test_a_form_can_change_from_one_way_to_the_other(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    assert cast.alice.patch(path, json={"schema": PERSON}).json()["schema"] == PERSON
    assert submit(cast.nobody, form_id, likes=["tea"]).status_code == 201, "until it is published"
    assert cast.alice.post(f"{path}/publish").json()["version"] == 2
    assert cast.alice.post(f"{path}/publish").json()["version"] == 2
    assert submit(cast.nobody, form_id, likes=["tea"]).status_code == 422
    assert cast.alice.get(f"{path}/versions/1").json()["definition"] == FEEDBACK
    copy = cast.alice.post(f"{path}/duplicate").json()
    assert copy["schema"] == PERSON


@pytest.mark.parametrize(
    "schema, path",
    [
        ({"type": "objekt"}, "/schema/type"),
        ({"properties": {"a": {"minimum": "x"}}}, "/schema/properties/a/minimum"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "/schema/properties/a/pattern"),
        ({"properties": {"a": {"$ref": "http://127.0.0.1:9/x"}}}, "/schema/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/schema/properties/a/$ref"),
        ({"properties": {"a": {"$ref": "#/$defs/absent"}}}, "/schema/properties/a/$ref"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/schema/$schema"),
        ({"properties": {"a": {"$id": "b"}}}, "/schema/properties/a/$id"),
        ({"enum": ["x" * 300_000]}, "/schema"),
        (chain(40, unevaluatedProperties=False), "/schema"),
    ],
)
def test_a_schema_that_is_not_valid_is_told_where(cast: People, schema: Any, path: str) -> None:
    for target, body in (("/api/v1/forms/validate", {}), ("/api/v1/forms", {"title": "x"})):
        answer = cast.alice.post(target, json={**body, "schema": schema})
        assert answer.status_code == 422, answer.text
        assert list(errors(answer)) == [path]
        assert len(answer.text) < 2000, "messages are bounded"


def test_validate_stores_nothing(cast: People) -> None:
    path = "/api/v1/forms/validate"
    for body in ({"schema": PERSON}, {"definition": FEEDBACK}):
        answer = cast.alice.post(path, json=body)
        assert (answer.status_code, answer.json()) == (200, {"valid": True, "warnings": []})
    odd = {"elements": [{"type": "text", "name": "a", "visibleIf": "{b} = 1"}]}
    assert cast.alice.post(path, json={"definition": odd}).json() == {
        "valid": True,
        "warnings": ["/definition/elements/0/visibleIf: {b} names no question and no calculated value"],
    }
    assert cast.alice.post(path, json={"definition": {"colour": "red"}}).status_code == 422
    for wrong, place in (({}, "/definition"), ({"schema": PERSON, "definition": FEEDBACK}, "/schema")):
        answer = cast.alice.post(path, json=wrong)
        assert (answer.status_code, list(errors(answer))) == (400, [place])
    assert cast.bob.post(path, json={"schema": PERSON}).status_code == 403
    assert cast.nobody.post(path, json={"schema": PERSON}).status_code == 401


def test_a_recursive_schema_is_judged(cast: People) -> None:
    node = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "child": {"$ref": "#/$defs/node"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    form_id = make(cast.alice, {"$ref": "#/$defs/node", "$defs": {"node": node}}, public=True)
    assert submit(cast.nobody, form_id, child={"name": "x", "child": {"name": "y"}}).status_code == 201
    assert list(errors(submit(cast.nobody, form_id, child={"child": {}}))) == [
        "/data/child/child/name", "/data/child/name",
    ]  # fmt: skip


HOSTILE: dict[str, dict[str, Any]] = {
    "exponential to compile": chain(60, unevaluatedProperties=False),
    "exponential to compile, items": chain(60, unevaluatedItems=False),
    "thousands of patterns": {
        "properties": {f"p{n}": {"pattern": f"(\\w{{1,90}}x{n}){{1,9}}"} for n in range(4000)}
    },
    "deep": {"properties": {"a": {"allOf": [{"not": {"not": {"not": {}}}}] * 5000}}},
}


def test_hostile_schemas_are_judged_in_time_while_others_are_served(appliance: Running, cast: People) -> None:
    done, slowest, served = threading.Event(), 0.0, 0
    public = publish(cast.alice, public=True)

    def look() -> None:
        nonlocal slowest, served
        while not done.is_set():
            with appliance.client() as client:  # a connection each: all API processes take part
                started = time.monotonic()
                assert client.get(f"/api/v1/forms/{public}").status_code == 200
                assert submit(client, public).status_code == 201
                slowest, served = max(slowest, time.monotonic() - started), served + 1

    def judge(schema: dict[str, Any]) -> tuple[int, float]:
        started = time.monotonic()
        answer = cast.alice.post("/api/v1/forms/validate", json={"schema": schema})
        return answer.status_code, time.monotonic() - started

    looking = threading.Thread(target=look)
    looking.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            verdicts = list(pool.map(judge, [*HOSTILE.values(), *HOSTILE.values()]))
    finally:
        done.set()
        looking.join()
    assert {code for code, _ in verdicts} <= {200, 422, 503}, verdicts
    assert [code for code, _ in verdicts].count(422) >= 2
    assert max(seconds for _, seconds in verdicts) < 11
    assert served > 3 and slowest < 5, f"{served} served, the slowest in {slowest:.1f} s"


def test_hostile_answers_are_judged_in_time(cast: People) -> None:
    """What compiles at once may still take for ever to ask."""
    form_id = make(cast.alice, chain(60), public=True)
    started = time.monotonic()
    answer = submit(cast.nobody, form_id)
    assert time.monotonic() - started < 6
    assert (answer.status_code, errors(answer)) == (
        422,
        {"/data": "takes too much time or memory to judge"},
    )
    node = {"properties": {"c": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n", "required": ["z"]}]}}}
    form_id = make(cast.alice, {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", **node}}}, public=True)
    deep: Any = 1
    for _ in range(28):
        deep = {"c": deep}
    started = time.monotonic()
    assert submit(cast.nobody, form_id, c=deep).status_code == 422
    assert time.monotonic() - started < 6
    regex = {"type": "object", "properties": {"name": {"type": "string", "pattern": "^(a+)+$"}}}
    form_id = make(cast.alice, regex, public=True)
    started = time.monotonic()
    assert submit(cast.nobody, form_id, name="a" * 50_000 + "b").status_code == 422
    assert time.monotonic() - started < 6


def test_exactly_one_way(cast: People) -> None:
    form = create(cast.alice)
    for method, path, body in (
        ("POST", "/api/v1/forms", {"title": "x", "definition": FEEDBACK, "schema": PERSON}),
        ("PATCH", f"/api/v1/forms/{form['form_id']}", {"definition": FEEDBACK, "schema": PERSON}),
    ):
        answer = cast.alice.request(method, path, json=body)
        assert (answer.status_code, list(errors(answer))) == (400, ["/schema"])
