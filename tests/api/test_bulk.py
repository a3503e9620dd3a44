from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.forms import errors, publish, submit, walk
from tests.api.test_shares import give
from tests.people import People
from tests.running import Running


def responses(client: httpx.Client, form_id: str, count: int) -> list[str]:
    with ThreadPoolExecutor(8) as pool:
        return [
            answer.json()["response_id"]
            for answer in pool.map(lambda _: submit(client, form_id), range(count))
        ]


def bulk(client: httpx.Client, form_id: str, ids: list[str], action: str, value: str | None = None) -> Any:
    body: dict[str, Any] = {"response_ids": ids, "action": action} | ({"value": value} if value else {})
    answer = client.post(f"/api/v1/forms/{form_id}/responses/bulk", json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_action_can_be_repeated(cast: People) -> None:
    form_id = publish(cast.alice)
    path, ids = f"/api/v1/forms/{form_id}/responses", responses(cast.alice, form_id, 4)
    foreign = responses(cast.alice, publish(cast.alice), 1)[0]
    first = {"changed": 2, "unchanged": 0, "not_found": ["absent", foreign]}
    again = {"changed": 0, "unchanged": 2, "not_found": ["absent", foreign]}
    asked = [*ids[:2], "absent", foreign, ids[0]]
    for action, value in (("tag", "x"), ("set_status", "flagged"), ("untag", "x"), ("delete", None)):
        assert bulk(cast.alice, form_id, asked, action, value) == first, action
        assert bulk(cast.alice, form_id, asked, action, value) == again, action
    assert len(cast.alice.get(path).json()["responses"]) == 2
    assert _ids(cast.alice, path, "deleted") == set(ids[:2])
    assert bulk(cast.alice, form_id, asked, "tag", "y") == again, "a deleted response takes no tag"
    assert bulk(cast.alice, form_id, asked, "restore") == first
    restored = cast.alice.get(f"{path}/{ids[0]}").json()
    assert (restored["status"], restored["tags"], restored["revision"]) == ("flagged", [], 6)
    assert _ids(cast.alice, path, "flagged") == set(ids[:2])
    assert _ids(cast.alice, path, "deleted") == set()
    cast.alice.patch(f"{path}/{ids[0]}", json={"data": {"name": "B"}}).raise_for_status()
    assert _ids(cast.alice, path, "flagged") == set(ids[:2]), "an edit leaves the status"
    cast.alice.patch(f"{path}/{ids[0]}", json={"status": "accepted"}).raise_for_status()
    assert _ids(cast.alice, path, "flagged") == {ids[1]}
    assert cast.alice.get(f"{path}/{foreign}").status_code == 404
    history = walk(cast.alice, f"{path}/{ids[0]}/history", "history")
    assert [row["status"] for row in history] == [
        "flagged",
        "flagged",
        "deleted",
        "flagged",
        "flagged",
        "accepted",
        "accepted",
    ]


def _ids(client: httpx.Client, path: str, status: str) -> set[str]:
    return {row["response_id"] for row in walk(client, path, "responses", status=status)}


def test_a_thousand_at_once(cast: People) -> None:
    form_id = publish(cast.alice)
    lines = b"".join(b'{"data": {"name": "%d"}}\n' % number for number in range(1000))
    path = f"/api/v1/forms/{form_id}/responses"
    cast.alice.post(f"{path}/batch", content=lines, headers={"content-type": "application/x-ndjson"})
    ids = [row["response_id"] for row in walk(cast.alice, path, "responses", limit=200)]
    assert len(ids) == 1000
    assert bulk(cast.alice, form_id, ids, "delete") == {"changed": 1000, "unchanged": 0, "not_found": []}
    assert walk(cast.alice, path, "responses") == []


def test_two_at_once_do_each_thing_once(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    ids, token = responses(cast.alice, form_id, 20), cast.alice.headers["authorization"].split()[1]

    def tag(_: int) -> int:
        body = {"response_ids": ids, "action": "tag", "value": "x"}
        with appliance.client(token) as client:
            answer = client.post(f"/api/v1/forms/{form_id}/responses/bulk", json=body, timeout=120)
            assert answer.status_code in (200, 409), answer.text
            return int(answer.json()["changed"]) if answer.status_code == 200 else 0

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(tag, range(6))) == 20
    rows = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert {(tuple(row["tags"]), row["revision"]) for row in rows} == {(("x",), 2)}


def test_who_may(cast: People) -> None:
    form_id = publish(cast.alice)
    give(cast.alice, form_id, ("bob", "view"))
    body = {"response_ids": ["x"], "action": "delete"}
    path = f"/api/v1/forms/{form_id}/responses/bulk"
    codes = [client.post(path, json=body).status_code for client in (cast.nobody, cast.charlie, cast.bob)]
    assert codes == [401, 404, 403]


@pytest.mark.parametrize(
    "body, path",
    [
        ({"response_ids": [], "action": "delete"}, "/response_ids"),
        ({"response_ids": ["x"] * 1001, "action": "delete"}, "/response_ids"),
        ({"response_ids": [{"$ne": 1}], "action": "delete"}, "/response_ids/0"),
        ({"response_ids": ["x"], "action": "purge"}, "/action"),
        ({"response_ids": ["x"], "action": "delete", "value": "x"}, "/value"),
        ({"response_ids": ["x"], "action": "tag"}, "/value"),
        ({"response_ids": ["x"], "action": "set_status", "value": "deleted"}, "/value"),
    ],
)
def test_what_is_not_the_contract(cast: People, body: Any, path: str) -> None:
    answer = cast.alice.post(f"/api/v1/forms/{publish(cast.alice)}/responses/bulk", json=body)
    assert (answer.status_code, list(errors(answer))) == (400, [path])
