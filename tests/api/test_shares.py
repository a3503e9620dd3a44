from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.forms import FEEDBACK, create, errors, publish, submit, walk
from tests.people import People
from tests.running import Running, unique


def give(client: httpx.Client, form_id: str, *shares: tuple[str, str]) -> httpx.Response:
    body = {"shares": [{"username": name, "level": level} for name, level in shares]}
    return client.put(f"/api/v1/forms/{form_id}/shares", json=body)


def test_shares_are_given_changed_and_withdrawn(cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    assert cast.alice.get(f"{path}/shares").json() == {"shares": []}
    given = give(cast.alice, form_id, ("Charlie", "edit"), ("bob", "manage"))
    assert given.status_code == 200
    by_name = {share["username"]: share for share in given.json()["shares"]}
    assert {name: share["level"] for name, share in by_name.items()} == {"charlie": "edit", "bob": "manage"}
    assert submit(cast.charlie, form_id).status_code == 201
    assert cast.charlie.patch(path, json={"title": "by charlie"}).status_code == 200
    assert cast.charlie.patch(path, json={"settings": {"public": True}}).status_code == 403
    assert cast.charlie.get(f"{path}/shares").status_code == 403
    assert cast.bob.get(f"{path}/shares").status_code == 403, "a viewer never gets past view"
    body = {"shares": [{"user_id": by_name["charlie"]["user_id"], "level": "manage"}]}
    assert cast.alice.put(f"{path}/shares", json=body).status_code == 200
    assert cast.bob.get(path).status_code == 404, "PUT replaces"
    assert cast.charlie.post(f"{path}/close").status_code == 200
    assert give(cast.charlie, form_id).json() == {"shares": []}
    assert cast.charlie.get(path).status_code == 404, "charlie withdrew himself"


def test_a_withdrawn_share_is_out_at_once_in_every_process(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    path, token = f"/api/v1/forms/{form_id}", cast.charlie.headers["authorization"].split()[1]

    def look(_: int) -> int:
        with appliance.client(token) as client:  # a connection each: all API processes take part
            return client.get(path).status_code

    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            give(cast.alice, form_id, ("charlie", "view"))
            assert set(pool.map(look, range(16))) == {200}
            give(cast.alice, form_id)
            assert set(pool.map(look, range(16))) == {404}


@pytest.mark.parametrize(
    "shares, status, path",
    [
        ([{"username": "nobody-of-this-name", "level": "view"}], 422, "/shares/0/username"),
        ([{"user_id": "absent", "level": "view"}], 422, "/shares/0/user_id"),
        ([{"username": "alice", "level": "view"}], 422, "/shares/0/username"),
        (
            [{"username": "bob", "level": "view"}, {"username": "BOB", "level": "edit"}],
            422,
            "/shares/1/username",
        ),
        ([{"username": "bob", "level": "own"}], 400, "/shares/0/level"),
        ([{"username": {"$gt": ""}, "level": "view"}], 400, "/shares/0/username"),
        ([{"level": "view"}], 400, "/shares/0"),
        ([{"username": "bob", "user_id": "x", "level": "view"}], 400, "/shares/0"),
    ],
)
def test_shares_that_are_not_valid_change_nothing(cast: People, shares: Any, status: int, path: str) -> None:
    form_id = create(cast.alice)["form_id"]
    give(cast.alice, form_id, ("bob", "view"))
    answer = cast.alice.put(f"/api/v1/forms/{form_id}/shares", json={"shares": shares})
    assert (answer.status_code, list(errors(answer))) == (status, [path])
    assert cast.bob.get(f"/api/v1/forms/{form_id}").status_code == 200


def test_a_copy_is_a_draft_of_my_own(cast: People) -> None:
    form = create(cast.alice, settings={"public": True, "pin": "1234-abcd"})
    give(cast.alice, form["form_id"], ("charlie", "view"))
    path, key = f"/api/v1/forms/{form['form_id']}/duplicate", unique("key")
    made = cast.charlie.post(path, headers={"idempotency-key": key})
    copy = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/forms/{copy['form_id']}"
    assert (copy["title"], copy["status"], copy["version"]) == (f"{form['title']} (copy)", "draft", 0)
    assert (copy["definition"], copy["settings"]) == (FEEDBACK, {"public": True})
    assert copy["slug"] != form["slug"]
    assert cast.charlie.post(path, headers={"idempotency-key": key}).json()["form_id"] == copy["form_id"]
    assert cast.alice.get(made.headers["location"]).status_code == 404
    published = cast.charlie.post(f"/api/v1/forms/{copy['form_id']}/publish")
    assert published.status_code == 200
    assert submit(cast.nobody, copy["form_id"]).status_code == 201, "the PIN was not copied"
    give(cast.alice, form["form_id"], ("bob", "view"))
    assert cast.bob.post(path).status_code == 403, "a viewer creates no forms"
    assert cast.charlie.post(path).status_code == 404


def test_a_deleted_form_is_gone_for_everybody_until_it_is_restored(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    give(cast.alice, form_id, ("charlie", "edit"))
    response = submit(cast.nobody, form_id).headers["location"]
    assert cast.charlie.delete(path).status_code == 403
    assert cast.alice.delete(path, headers={"if-match": '"1"'}).status_code == 412
    assert cast.alice.delete(path).status_code == 204
    for client in (cast.alice, cast.charlie, cast.admin):
        assert client.get(path).status_code == 404
        assert submit(client, form_id).status_code == 404
    assert submit(cast.nobody, form_id).status_code == 401, "a stranger cannot tell"
    assert cast.alice.get(response).status_code == 404
    assert form_id not in [form["form_id"] for form in walk(cast.alice, "/api/v1/forms", "forms")]
    assert cast.alice.delete(path).status_code == 404
    assert cast.charlie.post(f"{path}/restore").status_code == 404
    assert cast.alice.post(f"{path}/restore").json()["status"] == "published"
    assert cast.alice.post(f"{path}/restore").status_code == 200, "twice is once"
    assert submit(cast.nobody, form_id).status_code == 201
    assert cast.alice.get(response).status_code == 200
    assert cast.alice.post("/api/v1/forms/absent/restore").status_code == 404


def test_nothing_is_taken_once_the_delete_is_answered(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    gone = threading.Event()
    late: list[int] = []

    def send() -> None:
        with appliance.client() as client:
            while len(late) <= 20:
                was_gone = gone.is_set()
                status = submit(client, form_id).status_code
                if was_gone:
                    late.append(status)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    deleted = cast.alice.delete(f"/api/v1/forms/{form_id}").status_code
    gone.set()
    for thread in threads:
        thread.join()
    assert (deleted, set(late)) == (204, {401}), "and those who answer do not keep the owner waiting"
