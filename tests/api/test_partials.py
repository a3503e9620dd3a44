"""Half-filled responses: kept by a secret token, finished once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from appliance.clock import parse_rfc3339, rfc3339, utc_now
from appliance.stores.partials import partial_id
from tests.api.forms import create, errors, publish, submit, walk
from tests.api.test_links import make
from tests.api.uploads import new_token
from tests.people import People
from tests.running import Running


def path_of(form_id: str, token: str) -> str:
    return f"/api/v1/forms/{form_id}/partial/{token}"


def save(
    client: httpx.Client, form_id: str, token: str, *, if_match: str | None = None, **body: Any
) -> httpx.Response:
    headers = {"if-match": if_match} if if_match else {}
    return client.put(path_of(form_id, token), json={"data": {"name": "Ad"}, **body}, headers=headers)


def finish(
    client: httpx.Client, form_id: str, token: str, *, key: str | None = None, **body: Any
) -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    sent = {"data": {"name": "Ada"}, "partial": token, **body}
    return client.post(f"/api/v1/forms/{form_id}/responses", json=sent, headers=headers)


def row_of(appliance: Running, form_id: str, token: str) -> dict[str, Any] | None:
    with appliance.database() as client:
        return client.get_default_database("appliance").partials.find_one({"_id": partial_id(form_id, token)})


def test_it_is_kept_and_goes_on_anywhere(appliance: Running, cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    assert cast.nobody.get(path_of(form_id, token)).status_code == 404
    first = save(
        cast.nobody,
        form_id,
        token,
        data={"name": "A", "no question": [{"$where": 1, "a.b": None}]},
        page="p1",
    )
    assert (first.status_code, first.headers["etag"]) == (201, '"1"')
    told = first.json()
    assert set(told) == {
        *"form_id form_version data page created_at updated_at expires_at".split(),
    }
    assert (told["form_version"], told["page"]) == (1, "p1")
    kept = parse_rfc3339(told["expires_at"]) - parse_rfc3339(told["updated_at"])
    assert kept == dt.timedelta(days=30)
    with appliance.client() as elsewhere:
        got = elsewhere.get(path_of(form_id, token))
        assert (got.json(), got.headers["cache-control"]) == (told, "private, no-cache")
        second = save(elsewhere, form_id, token, data={}, page=2)
    assert (second.status_code, second.headers["etag"]) == (200, '"2"')
    assert second.json()["data"] == {} and second.json()["page"] == 2
    assert second.json()["created_at"] == told["created_at"] <= second.json()["updated_at"]
    assert cast.nobody.delete(path_of(form_id, token)).status_code == 204
    assert cast.nobody.get(path_of(form_id, token)).status_code == 404
    assert cast.nobody.delete(path_of(form_id, token)).status_code == 404
    row = row_of(appliance, form_id, token)
    assert row is not None and "data" not in row and row["state"] == "withdrawn"
    assert row["page"] == 2, "where people give up is known"
    assert save(cast.nobody, form_id, token).status_code == 201, "begun anew"


def test_two_devices(cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    assert save(cast.nobody, form_id, token, if_match='"1"').status_code == 412, "there is none"
    tag = save(cast.nobody, form_id, token).headers["etag"]
    assert save(cast.nobody, form_id, token, if_match=tag, page="mine").status_code == 200
    stale = save(cast.nobody, form_id, token, if_match=tag, page="theirs")
    assert stale.status_code == 412
    assert cast.nobody.get(path_of(form_id, token)).json()["page"] == "mine"
    now = cast.nobody.get(path_of(form_id, token)).headers["etag"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: save(cast.nobody, form_id, token, if_match=now, page=n), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: save(cast.nobody, form_id, token, page=n), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 8


def test_twenty_that_begin_at_once_begin_one(appliance: Running, cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: save(cast.nobody, form_id, token, page=n), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    with appliance.database() as client:
        storage = client.get_default_database("appliance").form_storage.find_one({"_id": form_id})
    row = row_of(appliance, form_id, token)
    assert storage is not None and row is not None
    assert (storage["partials"], storage["partial_bytes"]) == (1, row["size"])


@pytest.mark.parametrize("token", ["short", "x" * 129, "x" * 31 + "!", "x" * 31 + "%0A", "x" * 40 + ".."])
def test_what_is_no_token(cast: People, token: str) -> None:
    form_id = publish(cast.alice, public=True)
    assert save(cast.nobody, form_id, token).status_code == 400
    assert finish(cast.nobody, form_id, token).status_code == 400


def test_the_shape_is_strict(cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    for body, place in (
        ({"data": []}, "/data"),
        ({"data": "x"}, "/data"),
        ({"data": None}, "/data"),
        ({"more": 1}, "/more"),
        ({"page": -1}, "/page"),
        ({"page": []}, "/page"),
        ({"form_version": 0}, "/form_version"),
        ({"form_version": "1"}, "/form_version"),
    ):
        refused = save(cast.nobody, form_id, token, **body)
        assert (refused.status_code, list(errors(refused))) == (400, [place]), body
    refused = save(cast.nobody, form_id, token, form_version=2)
    assert (refused.status_code, list(errors(refused))) == (422, ["/form_version"])
    for raw in (b'{"data": {"a": "\\ud800"}}', b'{"data": {"a": 1e999}}', b'{"data": ' + b'{"a":' * 5000):
        refused = cast.nobody.put(
            path_of(form_id, token), content=raw, headers={"content-type": "application/json"}
        )
        assert refused.status_code == 400, raw[:30]
    assert save(cast.nobody, form_id, token, data={"a": "x" * 1_100_000}).status_code == 413
    assert cast.nobody.get(path_of(form_id, token)).status_code == 404
    texts = {"\0": "\u202eé\x01", "a" * 1000: [10**30, 1.5, True, None], "😀": {"$gt": ""}}
    assert save(cast.nobody, form_id, token, data=texts).status_code == 201
    assert cast.nobody.get(path_of(form_id, token)).json()["data"] == texts


def test_who_may(cast: People) -> None:
    token = new_token()
    private, draft = publish(cast.alice), create(cast.alice, settings={"public": True})["form_id"]
    later = rfc3339(utc_now() + dt.timedelta(hours=1))
    for client, form_id, status in (
        (cast.nobody, private, 401),
        (cast.charlie, private, 404),
        (cast.alice, private, 201),
        (cast.nobody, draft, 404),
        (cast.alice, draft, 409),
        (cast.nobody, "absent", 401),
        (cast.charlie, "absent", 404),
        (cast.nobody, publish(cast.alice, public=True, opens_at=later), 410),
        (cast.nobody, publish(cast.alice, public=True, one_per_person=True), 401),
        (cast.charlie, publish(cast.alice, public=True, one_per_person=True), 201),
        (cast.nobody, publish(cast.alice, public=True, pin="1234"), 403),
    ):
        assert save(client, form_id, token).status_code == status, (form_id, status)
        if status != 201:
            assert client.get(path_of(form_id, token)).status_code == status
    assert cast.bob.get(path_of(private, token)).status_code == 404, "without any right"


def test_a_pin_and_a_link_open_it_as_they_open_the_form(cast: People) -> None:
    form_id, token = publish(cast.alice, pin="1234"), new_token()
    link = make(cast.alice, form_id, single_use=True)["token"]
    path = path_of(form_id, token)
    body: dict[str, Any] = {"data": {}}
    right = {"x-form-pin": "1234", "x-form-link": link}
    assert cast.nobody.put(path, json=body, headers={**right, "x-form-pin": "4321"}).status_code == 403
    assert cast.nobody.put(path, json=body, headers={"x-form-link": link}).status_code == 403
    assert cast.nobody.put(path, json=body, headers=right).status_code == 201
    sent = {"data": {"name": "Ada"}, "partial": token}
    done = cast.nobody.post(f"/api/v1/forms/{form_id}/responses", json=sent, headers=right)
    assert done.status_code == 201
    other = path_of(form_id, new_token())
    assert cast.nobody.put(other, json=body, headers=right).status_code == 409, "the link was used"


def test_who_has_answered_begins_nothing_more(cast: People) -> None:
    form_id = publish(cast.alice, public=True, one_per_person=True)
    assert submit(cast.charlie, form_id).status_code == 201
    assert save(cast.charlie, form_id, new_token()).status_code == 409
    assert save(cast.bob, form_id, new_token()).status_code == 201


def test_a_form_that_closes(cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    assert save(cast.nobody, form_id, token).status_code == 201
    cast.alice.post(f"/api/v1/forms/{form_id}/close")
    assert save(cast.nobody, form_id, token).status_code == 410
    assert cast.nobody.get(path_of(form_id, token)).status_code == 410
    assert cast.nobody.delete(path_of(form_id, token)).status_code == 204, "what is one's own may always go"


def test_it_becomes_one_response(appliance: Running, cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    begun = save(cast.nobody, form_id, token).json()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: finish(cast.nobody, form_id, token, key=f"key-{n % 3}"), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")) == 1
    other = finish(cast.nobody, form_id, token, data={"name": "Bob"})
    assert other.status_code == 422
    assert cast.nobody.get(path_of(form_id, token)).status_code == 404
    assert save(cast.nobody, form_id, token).status_code == 409
    row = row_of(appliance, form_id, token)
    assert row is not None and not {"data", "page", "files"} & row.keys()
    assert (row["state"], row["response_id"]) == ("submitted", answers[0].json()["response_id"])
    assert rfc3339(row["created_at"]) == begun["created_at"]
    assert rfc3339(row["ended_at"]) == answers[0].json()["created_at"]


def test_a_response_whose_writer_died_is_not_begun_again(appliance: Running, cast: People) -> None:
    """As if the process had ended between the response and the clearing of what was half-filled."""
    form_id, token = publish(cast.alice, public=True), new_token()
    save(cast.nobody, form_id, token)
    before = row_of(appliance, form_id, token)
    assert before is not None
    assert finish(cast.nobody, form_id, token).status_code == 201
    asked: list[tuple[Callable[[], httpx.Response], int]] = [
        (lambda: cast.nobody.get(path_of(form_id, token)), 404),
        (lambda: save(cast.nobody, form_id, token), 409),
        (lambda: finish(cast.nobody, form_id, token), 201),
    ]
    for ask, status in asked:
        with appliance.database() as client:
            client.get_default_database("appliance").partials.replace_one({"_id": before["_id"]}, before)
        assert ask().status_code == status
        row = row_of(appliance, form_id, token)
        assert row is not None and row["state"] == "submitted" and "data" not in row and "page" not in row


def test_a_submission_that_is_refused_leaves_it(cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    save(cast.nobody, form_id, token)
    assert finish(cast.nobody, form_id, token, data={"age": 1}).status_code == 422
    assert cast.nobody.get(path_of(form_id, token)).status_code == 200
    assert finish(cast.nobody, form_id, new_token()).status_code == 201, "one that was never saved"


def test_version_1_finished_after_version_2_was_published(cast: People) -> None:
    """What was half-filled stays, and says of which version it is. A client that names its version is told
    that there is another one, and nothing is stored; one that does not is judged by the current version.
    """
    form_id, token = publish(cast.alice, public=True), new_token()
    assert (
        save(cast.nobody, form_id, token, data={"name": "A", "words": "w"}, form_version=1).status_code == 201
    )
    asked = {
        "elements": [{"type": "text", "name": "name"}, {"type": "text", "name": "new", "isRequired": True}]
    }
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"definition": asked})
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").json()["version"] == 2
    again = save(cast.nobody, form_id, token, data={"name": "Ada", "words": "w"}, form_version=1)
    assert (again.status_code, again.json()["form_version"]) == (200, 1), "nothing is lost by saving on"
    told = finish(cast.nobody, form_id, token, data={"name": "Ada", "words": "w"}, form_version=1)
    assert (told.status_code, told.json()["type"], told.json()["form_version"]) == (
        409,
        "/problems/form-changed",
        2,
    )
    assert cast.nobody.get(path_of(form_id, token)).json()["form_version"] == 1
    unnamed = finish(cast.nobody, form_id, token, data={"name": "Ada", "words": "w"})
    assert set(errors(unnamed)) == {"/data/words", "/data/new"}, "judged by version 2"
    assert walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses") == []
    done = finish(cast.nobody, form_id, token, data={"name": "Ada", "new": "n"}, form_version=2)
    assert (done.status_code, done.json()["form_version"]) == (201, 2)
    late = finish(cast.nobody, form_id, token, data={"name": "Ada", "new": "n"}, form_version=2)
    assert late.json() == done.json()


def test_a_version_named_without_a_partial(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}/responses"
    for version, status in ((1, 201), (2, 409)):
        body = {"data": {"name": "Ada"}, "form_version": version}
        assert cast.nobody.post(path, json=body).status_code == status
    assert "form_version" not in submit(cast.nobody, form_id, age=-1).json(), "only of form-changed"


def test_the_token_is_in_no_log(appliance: Running, cast: People) -> None:
    form_id, token = publish(cast.alice, public=True), new_token()
    refused = cast.nobody.put(path_of(form_id, token), json={"more": 1})
    assert token not in refused.text
    save(cast.nobody, form_id, token)
    odd = path_of(form_id, token).replace("/partial/", "/parti%61l/")
    assert cast.nobody.get(odd).status_code == 200
    for answer in (
        cast.nobody.patch(path_of(form_id, token), json={}),
        cast.nobody.get(path_of(form_id, token) + "/x"),
    ):
        assert answer.status_code in (404, 405)
    assert finish(cast.nobody, form_id, token).status_code == 201
    texts = {
        log.name: log.read_text(errors="replace") for log in appliance.paths.logs.iterdir() if log.is_file()
    }
    assert any(f"/api/v1/forms/{form_id}/partial/-" in text for text in texts.values())
    assert [name for name, text in texts.items() if token in text] == []
