from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.forms import errors, publish, submit, walk
from tests.api.test_shares import give
from tests.people import People
from tests.running import Running, unique


def respond(client: httpx.Client, form_id: str, **data: Any) -> str:
    """The path of a new response."""
    answer = submit(client, form_id, **data)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["location"])


def test_an_edit_is_judged_anew_and_keeps_the_earlier_state(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    path = respond(cast.alice, form_id, age=36, city="Oslo")
    before = cast.alice.get(path)
    assert (before.json()["revision"], before.headers["etag"]) == (1, '"1"')
    assert cast.alice.get(path, headers={"if-none-match": '"1"'}).status_code == 304
    wrong = cast.alice.patch(path, json={"data": {"age": 200, "extra": 1}})
    assert wrong.status_code == 422
    assert set(errors(wrong)) == {"/data/name", "/data/age", "/data/extra"}
    assert cast.alice.get(path).json() == before.json()
    done = cast.alice.patch(path, json={"data": {"name": "Bea", "city": "Rome"}, "tags": ["a", "b", "a"]})
    assert (done.status_code, done.headers["etag"]) == (200, '"2"')
    assert done.json()["data"] == {"name": "Bea", "city": "Rome"}, "data is replaced whole"
    assert done.json()["tags"] == ["a", "b"]
    assert cast.alice.patch(path, json={"status": "flagged"}).json()["revision"] == 3
    assert cast.alice.patch(path, json={"status": "flagged"}).json()["revision"] == 3, "nothing changed"
    history = walk(cast.alice, f"{path}/history", "history", limit=1)
    assert [(row["revision"], row["status"]) for row in history] == [(2, "accepted"), (1, "accepted")]
    assert history[1]["data"] == before.json()["data"]
    assert history[1]["updated_at"] == before.json()["updated_at"]
    assert history[1]["replaced_by"] == done.json()["submitter"]


def test_filters_and_lists_follow_an_edit(cast: People) -> None:
    form_id = publish(cast.alice)
    rows, path = f"/api/v1/forms/{form_id}/responses", respond(cast.alice, form_id, city="Oslo")
    assert len(cast.alice.get(rows).json()["responses"]) == 1
    cast.alice.patch(path, json={"data": {"name": "Ada", "city": "Rome"}})
    assert cast.alice.get(rows).json()["responses"][0]["data"]["city"] == "Rome"
    assert walk(cast.alice, rows, "responses", **{"filter.city": "Oslo"}) == []
    assert len(walk(cast.alice, rows, "responses", **{"filter.city": "Rome"})) == 1


def test_an_edit_is_judged_by_the_version_that_was_answered(cast: People) -> None:
    form_id = publish(cast.alice)
    path = respond(cast.alice, form_id)
    new = {"elements": [{"type": "text", "name": "new", "isRequired": True}]}
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"definition": new})
    cast.alice.post(f"/api/v1/forms/{form_id}/publish")
    done = cast.alice.patch(path, json={"data": {"name": "Bea"}})
    assert (done.status_code, done.json()["form_version"]) == (200, 1)


def test_of_two_edits_of_one_revision_one_is_stale(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    token = cast.alice.headers["authorization"].split()[1]
    for number in range(5):
        path = respond(cast.alice, form_id)

        def edit(word: str, path: str = path) -> int:
            with appliance.client(token) as client:
                body = {"data": {"name": word}}
                return client.patch(path, json=body, headers={"if-match": '"1"'}).status_code

        with ThreadPoolExecutor(2) as pool:
            codes = sorted(pool.map(edit, (f"one {number}", f"two {number}")))
        assert codes == [200, 412]
        assert cast.alice.get(path).json()["revision"] == 2
        assert len(walk(cast.alice, f"{path}/history", "history")) == 1


def test_a_deleted_response_is_hidden_and_comes_back_as_it_was(cast: People) -> None:
    form_id = publish(cast.alice, max_responses=1)
    give(cast.alice, form_id, ("bob", "view"), ("charlie", "edit"))
    rows, path = f"/api/v1/forms/{form_id}/responses", respond(cast.alice, form_id)
    cast.alice.patch(path, json={"status": "flagged"})
    assert cast.bob.delete(path).status_code == 403
    assert len(cast.bob.get(rows).json()["responses"]) == 1
    assert [cast.charlie.delete(path).status_code for _ in range(2)] == [204, 204]
    assert cast.bob.get(rows).json()["responses"] == []
    assert cast.bob.get(path).status_code == 404
    assert cast.bob.get(rows, params={"status": "deleted"}).status_code == 403
    assert cast.charlie.get(path).json()["status"] == "deleted"
    assert len(walk(cast.charlie, rows, "responses", status="deleted")) == 1
    assert cast.charlie.patch(path, json={"tags": ["x"]}).status_code == 409
    assert submit(cast.alice, form_id).status_code == 410, "its place stays taken"
    assert cast.bob.post(f"{path}/restore").status_code == 403
    for _ in range(2):
        restored = cast.charlie.post(f"{path}/restore").json()
        assert (restored["status"], restored["revision"]) == ("flagged", 4)
    assert cast.bob.get(path).status_code == 200


def test_a_key_gives_the_first_answer_though_the_response_was_edited(cast: People) -> None:
    form_id, key = publish(cast.alice), unique("key")
    first = submit(cast.alice, form_id, key)
    cast.alice.patch(first.headers["location"], json={"data": {"name": "Bea"}})
    assert submit(cast.alice, form_id, key).json() == first.json()


@pytest.mark.parametrize("method", ["patch", "delete", "restore", "history"])
def test_who_may_edit(cast: People, method: str) -> None:
    form_id = publish(cast.alice)
    give(cast.alice, form_id, ("bob", "view"))
    path = respond(cast.alice, form_id)

    def ask(client: httpx.Client, path: str) -> int:
        if method == "patch":
            return client.patch(path, json={"tags": ["x"]}).status_code
        if method == "delete":
            return client.delete(path).status_code
        return client.request("GET" if method == "history" else "POST", f"{path}/{method}").status_code

    assert [ask(client, path) for client in (cast.nobody, cast.charlie, cast.bob)] == [401, 404, 403]
    assert ask(cast.alice, path.rpartition("/")[0] + "/absent") == 404
    other = publish(cast.alice)
    assert ask(cast.alice, path.replace(form_id, other)) == 404, "a response of another form"


@pytest.mark.parametrize(
    "body, path",
    [
        ({"status": "deleted"}, "/status"),
        ({"tags": "x"}, "/tags"),
        ({"tags": [""]}, "/tags/0"),
        ({"tags": [{"$gt": ""}]}, "/tags/0"),
        ({"submitter": "me"}, "/submitter"),
    ],
)
def test_an_edit_takes_what_the_contract_says(cast: People, body: Any, path: str) -> None:
    answer = cast.alice.patch(respond(cast.alice, publish(cast.alice)), json=body)
    assert (answer.status_code, list(errors(answer))) == (400, [path])


def test_an_edit_of_the_type_alone_is_an_edit(cast: People) -> None:
    """To Python, 1 == True and 0 == False."""
    form = cast.alice.post("/api/v1/forms", json={"title": "T", "schema": {"properties": {"a": {}}}}).json()
    path = f"/api/v1/forms/{form['form_id']}"
    cast.alice.post(f"{path}/publish").raise_for_status()
    made = cast.alice.post(f"{path}/responses", json={"data": {"a": [1, 0]}}).json()
    edit = cast.alice.patch(f"{path}/responses/{made['response_id']}", json={"data": {"a": [True, False]}})
    assert (edit.json()["data"], edit.json()["revision"]) == ({"a": [True, False]}, 2)
    restored = cast.alice.post(f"{path}/responses/{made['response_id']}/restore", headers={"if-match": '"1"'})
    assert restored.status_code == 412
