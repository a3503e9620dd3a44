from __future__ import annotations

import datetime as dt
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from appliance.clock import rfc3339, utc_now
from tests.api.forms import create, errors, publish, submit, walk
from tests.people import People
from tests.running import Running, unique


def test_a_response_is_stored_as_answered(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    answer = submit(cast.nobody, form_id, age=36, likes=["tea", "water"])
    body = answer.json()
    assert answer.status_code == 201
    assert set(body) == {"response_id", "form_id", "form_version", "created_at", "data", "task_ids"}
    assert body["data"] == {"name": "Ada", "age": 36, "likes": ["tea", "water"]}
    assert body["task_ids"] == [], "nobody watches this form"
    stored = cast.alice.get(answer.headers["location"]).json()
    assert stored["data"] == body["data"]
    assert stored["submitter"] is None
    assert stored["status"] == "accepted"
    assert not {"kv", "events", "key", "body_hash", "seq", "_id"} & set(stored)


def test_whole_numbers_of_64_bits_are_numbers_everywhere(cast: People) -> None:
    """The database's driver has a type of its own for them, which no JSON encoder takes."""
    definition = {"elements": [{"type": "text", "name": "n", "inputType": "number"}]}
    form_id = str(create(cast.alice, definition=definition)["form_id"])
    cast.alice.post(f"/api/v1/forms/{form_id}/publish").raise_for_status()
    path = f"/api/v1/forms/{form_id}/responses"
    numbers = [2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
    ids = [cast.alice.post(path, json={"data": {"n": n}}).json()["response_id"] for n in numbers]
    for limit in (50, 10):  # from the cache, and not
        rows = cast.alice.get(path, params={"limit": limit}).json()["responses"]
        assert [row["data"]["n"] for row in rows] == numbers[::-1]
    for response_id, n in zip(ids, numbers, strict=True):
        one = f"{path}/{response_id}"
        assert cast.alice.get(one).json()["data"] == {"n": n}
        assert cast.alice.patch(one, json={"tags": ["large"]}).status_code == 200
        assert cast.alice.get(f"{one}/history").json()["history"][0]["data"] == {"n": n}
    assert cast.alice.get(path, params={"filter.n": str(2**31)}).json()["responses"][0]["data"]["n"] == 2**31
    lines = cast.alice.get(f"/api/v1/forms/{form_id}/export", params={"format": "ndjson"}).text.splitlines()
    assert [json.loads(line)["data"]["n"] for line in lines] == numbers


def test_answers_that_break_the_rules_leave_nothing_behind(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    answer = submit(cast.nobody, form_id, name="", age=200, city="Paris", likes="tea", unknown=1)
    assert answer.status_code == 422
    assert set(errors(answer)) == {"/data/name", "/data/age", "/data/city", "/data/likes", "/data/unknown"}
    assert walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses") == []


@pytest.mark.parametrize(
    "body, path",
    [
        ({}, "/data"),
        ({"data": {"name": "x"}, "extra": 1}, "/extra"),
        ({"data": {"name": "x"}, "meta": {"ip": "::1"}}, "/meta/ip"),
        ({"data": {"name": "x"}, "meta": {"started_at": "yesterday"}}, "/meta/started_at"),
        ({"data": {"name": "x"}, "meta": {"completion_time": -1}}, "/meta/completion_time"),
    ],
)
def test_the_envelope_is_strict(cast: People, body: Any, path: str) -> None:
    form_id = publish(cast.alice, public=True)
    answer = cast.nobody.post(f"/api/v1/forms/{form_id}/responses", json=body)
    assert answer.status_code == 400
    assert list(errors(answer)) == [path]


def test_what_a_client_claims_is_bounded(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    now = utc_now()
    meta = {
        "started_at": rfc3339(now - dt.timedelta(seconds=60)),
        "completion_time": 1e9,
        "pages": [{"name": "page1", "seconds": 1e9}],
        "source": "test",
    }
    path = f"/api/v1/forms/{form_id}/responses"
    answer = cast.nobody.post(path, json={"data": {"name": "Ada"}, "meta": meta})
    kept = cast.alice.get(answer.headers["location"]).json()["meta"]
    assert 60 <= kept["completion_time"] < 90
    assert kept["pages"][0]["seconds"] == kept["completion_time"]
    future = {"started_at": rfc3339(now + dt.timedelta(days=9))}
    answer = cast.nobody.post(path, json={"data": {"name": "Ada"}, "meta": future})
    kept = cast.alice.get(answer.headers["location"]).json()["meta"]
    assert kept["completion_time"] == 0


def test_a_key_makes_one_response(cast: People) -> None:
    form_id, key = publish(cast.alice, public=True), unique("key")
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: submit(cast.nobody, form_id, key, age=1), range(50)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1, "the first answer again, to the letter"
    fresh = [answer for answer in answers if "idempotency-replayed" not in answer.headers]
    assert len(fresh) == 1
    assert submit(cast.nobody, form_id, key, age=2).status_code == 422
    assert submit(cast.alice, form_id, key, age=2).status_code == 201, "keys belong to their caller"
    assert len(walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")) == 2
    assert submit(cast.nobody, form_id, "two words", age=1).status_code == 400


def test_a_key_is_answered_though_the_form_has_closed_and_changed(cast: People) -> None:
    form_id, key = publish(cast.alice, public=True, max_responses=1), unique("key")
    path = f"/api/v1/forms/{form_id}"
    first = submit(cast.nobody, form_id, key)
    assert submit(cast.nobody, form_id).status_code == 410, "full"
    assert submit(cast.nobody, form_id, key).json() == first.json()
    cast.alice.patch(
        path, json={"definition": {"elements": [{"type": "text", "name": "new", "isRequired": True}]}}
    )
    cast.alice.post(f"{path}/publish")
    assert submit(cast.nobody, form_id, key).json() == first.json()
    cast.alice.post(f"{path}/close")
    assert submit(cast.nobody, form_id, key).json() == first.json()


def test_exactly_as_many_as_the_form_takes(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, max_responses=100)

    def one(number: int) -> int:
        with appliance.client() as client:  # a connection each: all API processes take part
            answer = submit(client, form_id, words=f"answer {number}")
            assert answer.status_code == 201 or answer.json()["type"].endswith("form-full")
            return answer.status_code

    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(one, range(200)))
    assert (codes.count(201), codes.count(410)) == (100, 100)
    stored = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert len({response["data"]["words"] for response in stored}) == len(stored) == 100


def test_places_that_were_not_used_come_back(cast: People) -> None:
    form_id = publish(cast.alice, public=True, max_responses=3)
    with ThreadPoolExecutor(30) as pool:
        codes = [
            answer.status_code
            for answer in pool.map(lambda _: submit(cast.nobody, form_id, "one"), range(30))
        ]
    assert set(codes) <= {201, 410}
    codes = [submit(cast.nobody, form_id).status_code for _ in range(4)]
    assert codes == [201, 201, 410, 410], "thirty posts under one key took one place"


def test_retries_under_their_keys_take_no_places(cast: People) -> None:
    """Four posts of each of a hundred keys into a hundred places: every key gets in."""
    form_id = publish(cast.alice, public=True, max_responses=100)
    keys = [f"key-{number % 100}" for number in range(400)]
    with ThreadPoolExecutor(24) as pool:
        answers = list(zip(keys, pool.map(lambda key: submit(cast.nobody, form_id, key), keys), strict=True))
    assert {answer.status_code for _, answer in answers} == {201}
    assert len({answer.json()["response_id"] for _, answer in answers}) == 100
    assert submit(cast.nobody, form_id).json()["type"].endswith("form-full")
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda key: submit(cast.nobody, form_id, key).status_code, keys[:20]))
    assert again == [201] * 20


def test_a_parameter_that_is_misspelt_stores_nothing(cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}/responses"
    for query in ("dryrun=true", "dry_run=true&dry_run=false", "dry_run=perhaps"):
        answer = cast.nobody.post(f"{path}?{query}", json={"data": {"name": "Ada"}})
        assert answer.status_code == 400, query
    assert walk(cast.alice, path, "responses") == []


def test_opens_and_closes(cast: People) -> None:
    later, earlier = rfc3339(utc_now() + dt.timedelta(hours=1)), rfc3339(utc_now() - dt.timedelta(hours=1))
    not_yet = submit(cast.nobody, publish(cast.alice, public=True, opens_at=later))
    over = submit(cast.nobody, publish(cast.alice, public=True, closes_at=earlier))
    open_now = submit(cast.nobody, publish(cast.alice, public=True, opens_at=earlier, closes_at=later))
    closed_id = publish(cast.alice, public=True)
    cast.alice.post(f"/api/v1/forms/{closed_id}/close")
    closed = submit(cast.nobody, closed_id)
    full_id = publish(cast.alice, public=True, max_responses=1)
    submit(cast.nobody, full_id)
    full = submit(cast.nobody, full_id)
    types = [answer.json().get("type", "").rpartition("/")[2] for answer in (not_yet, over, closed, full)]
    assert types == ["form-not-open", "form-closed", "form-closed", "form-full"]
    assert {answer.status_code for answer in (not_yet, over, closed, full)} == {410}
    assert open_now.status_code == 201


def test_a_closed_form_takes_nothing_once_the_close_is_answered(appliance: Running, cast: People) -> None:
    """Whichever API process is asked: a state that another process holds is never the last word."""
    form_id = publish(cast.alice, public=True)
    with ThreadPoolExecutor(16) as pool:
        assert {
            answer.status_code for answer in pool.map(lambda _: submit(cast.nobody, form_id), range(32))
        } == {201}
        cast.alice.post(f"/api/v1/forms/{form_id}/close")
        assert {
            answer.status_code for answer in pool.map(lambda _: submit(cast.nobody, form_id), range(32))
        } == {410}
        cast.alice.post(f"/api/v1/forms/{form_id}/reopen")
        assert {
            answer.status_code for answer in pool.map(lambda _: submit(cast.nobody, form_id), range(32))
        } == {201}


def test_who_may_answer(cast: People) -> None:
    draft = create(cast.alice, settings={"public": True})["form_id"]
    private = publish(cast.alice)
    assert submit(cast.nobody, draft).status_code == 404
    assert submit(cast.charlie, draft).status_code == 404
    assert submit(cast.alice, draft).status_code == 409
    assert submit(cast.nobody, private).status_code == 401
    assert submit(cast.nobody, "absent").status_code == 401, "a stranger cannot tell"
    assert submit(cast.charlie, private).status_code == 404
    assert submit(cast.alice, private).status_code == 201


def test_one_answer_a_person(cast: People) -> None:
    form_id = publish(cast.alice, public=True, one_per_person=True)
    assert submit(cast.nobody, form_id).status_code == 401
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(
            answer.status_code for answer in pool.map(lambda _: submit(cast.charlie, form_id), range(8))
        )
    assert codes == [201] + [409] * 7
    assert submit(cast.bob, form_id, "key").status_code == 201
    assert submit(cast.bob, form_id, "key").status_code == 201, "the same answer again"
    assert submit(cast.bob, form_id).status_code == 409


def test_a_pin(cast: People) -> None:
    form_id = publish(cast.alice, public=True, pin="1234-abcd")
    path = f"/api/v1/forms/{form_id}/responses"
    body = {"data": {"name": "Ada"}}
    assert cast.nobody.post(path, json=body).status_code == 403
    assert cast.nobody.post(path, json=body, headers={"x-form-pin": "4321"}).status_code == 403
    for _ in range(2):
        assert cast.nobody.post(path, json=body, headers={"x-form-pin": "1234-abcd"}).status_code == 201
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {"pin": "new-pin"}})
    assert cast.nobody.post(path, json=body, headers={"x-form-pin": "1234-abcd"}).status_code == 403
    cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {"pin": None}})
    assert cast.nobody.post(path, json=body).status_code == 201


def test_a_dry_run_keeps_nothing(cast: People) -> None:
    form_id = publish(cast.alice, public=True, max_responses=1)
    path = f"/api/v1/forms/{form_id}/responses?dry_run=true"
    right = cast.nobody.post(path, json={"data": {"name": "Ada"}})
    wrong = cast.nobody.post(path, json={"data": {}})
    assert (right.status_code, right.json()) == (200, {"data": {"name": "Ada"}})
    assert (wrong.status_code, list(errors(wrong))) == (422, ["/data/name"])
    assert walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses") == []
    assert submit(cast.nobody, form_id).status_code == 201, "no place was taken"


def test_the_address_is_kept_only_where_asked(cast: People) -> None:
    kept = submit(cast.nobody, publish(cast.alice, public=True, store_address=True))
    not_kept = submit(cast.nobody, publish(cast.alice, public=True))
    assert cast.alice.get(kept.headers["location"]).json()["meta"] == {"address": "127.0.0.1"}
    assert cast.alice.get(not_kept.headers["location"]).json()["meta"] == {}


def test_a_form_tells_of_its_responses(cast: People) -> None:
    form_id = publish(cast.alice, public=True)

    def told() -> tuple[int, str | None]:
        form = cast.alice.get(f"/api/v1/forms/{form_id}").json()
        return form["response_count"], form["last_response_at"]

    assert told() == (0, None)
    for count in range(1, 6):
        last = submit(cast.nobody, form_id).json()
        assert last["task_ids"] == [], "nobody watches"
        assert submit(cast.nobody, form_id, age=-1).status_code == 422
        assert told() == (count, last["created_at"]), "at once, whoever is asked"


def test_a_client_that_hangs_up_harms_nobody(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    stop = threading.Event()

    def rude() -> None:
        while not stop.is_set():
            try:
                with httpx.Client(base_url=appliance.url, timeout=0.003, trust_env=False) as client:
                    submit(client, form_id, words="rude")
            except httpx.HTTPError:
                pass

    threads = [threading.Thread(target=rude) for _ in range(4)]
    for thread in threads:
        thread.start()
    polite = [submit(cast.nobody, form_id, words="polite").status_code for _ in range(100)]
    stop.set()
    for thread in threads:
        thread.join()
    assert polite == [201] * 100
    stored = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert sum(response["data"]["words"] == "polite" for response in stored) == 100


def test_half_an_emoji_spoils_no_group(cast: People) -> None:
    """Submissions are written in groups; one that cannot be encoded would take the others along."""
    cut = {"type": "expression", "name": "e", "expression": "substring({a},0,1)"}
    definition = {"elements": [{"type": "text", "name": "a"}, cut]}
    cutting = create(cast.alice, definition=definition, settings={"public": True})["form_id"]
    assert cast.alice.post(f"/api/v1/forms/{cutting}/publish").status_code == 200
    plain = publish(cast.alice, public=True)

    def send(number: int) -> int:
        if number % 4:
            return submit(cast.nobody, plain).status_code
        path = f"/api/v1/forms/{cutting}/responses"
        return cast.nobody.post(path, json={"data": {"a": "😀"}}).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(64))) == {201}
