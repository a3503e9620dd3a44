"""Faults are told in the language of the answer, by every route that judges one."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.api.forms import create, errors
from tests.people import People

DEFINITION: dict[str, Any] = {
    "locale": "fr",
    "elements": [
        {"type": "text", "name": "name", "isRequired": True},
        {
            "type": "text",
            "name": "plz",
            "validators": [
                {
                    "type": "regex",
                    "regex": "^[0-9]{5}$",
                    "text": {"default": "Five digits", "gsw": "Füf Zahle"},
                }
            ],
        },
    ],
}
FRENCH = "La réponse à cette question est obligatoire."
GERMAN = "Bitte beantworten Sie diese Frage."
ENGLISH = "Response required."
POLISH = "Proszę odpowiedzieć na to pytanie."


def _publish(client: httpx.Client, **settings: Any) -> str:
    form_id = create(client, definition=DEFINITION, settings=settings)["form_id"]
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return f"/api/v1/forms/{form_id}/responses"


def _said(answer: httpx.Response) -> str:
    assert answer.status_code == 422, answer.text
    return str(errors(answer)["/data/name"])


def test_the_answers_language_then_the_forms_then_the_definitions(cast: People) -> None:
    path, set_to_polish = _publish(cast.alice, public=True), _publish(cast.alice, public=True, language="pl")
    for language, plain, polish in (
        ("de-AT", GERMAN, GERMAN),
        ("en", ENGLISH, ENGLISH),
        ("tlh", FRENCH, POLISH),
        (None, FRENCH, POLISH),
    ):
        body = {"data": {}, "meta": {"language": language} if language else {}}
        assert _said(cast.nobody.post(path, json=body)) == plain
        assert _said(cast.nobody.post(set_to_polish, json=body)) == polish


def test_every_route_that_judges(cast: People) -> None:
    path = _publish(cast.alice, public=True)
    body = {"data": {"name": " "}, "meta": {"language": "DE"}}
    assert _said(cast.nobody.post(path, json=body)) == GERMAN
    assert _said(cast.nobody.post(f"{path}?dry_run=true", json=body)) == GERMAN
    lines = [json.dumps(body), json.dumps({"data": {}}), json.dumps({"data": {}, "meta": {"language": "pl"}})]
    batch = cast.alice.post(
        f"{path}/batch", content="\n".join(lines), headers={"content-type": "application/x-ndjson"}
    )
    told = [json.loads(line)["errors"][0]["message"] for line in batch.text.splitlines()]
    assert told == [GERMAN, FRENCH, POLISH]
    stored = cast.alice.post(path, json={"data": {"name": "Ada"}, "meta": {"language": "de-DE"}})
    assert stored.status_code == 201
    assert _said(cast.alice.patch(stored.headers["location"], json={"data": {}})) == GERMAN
    unsaid = cast.alice.post(path, json={"data": {"name": "Ada"}})
    assert _said(cast.alice.patch(unsaid.headers["location"], json={"data": {}})) == FRENCH


def test_a_language_of_the_form_alone(cast: People) -> None:
    path = _publish(cast.alice, public=True)
    body = {"data": {"name": "Ada", "plz": "x"}, "meta": {"language": "gsw-ZH"}}
    assert errors(cast.nobody.post(path, json=body)) == {"/data/plz": "Füf Zahle"}
    body["meta"] = {"language": "xx"}
    assert errors(cast.nobody.post(path, json=body)) == {"/data/plz": "Five digits"}
