"""Limits of single answers: exact whoever writes at once, whatever changes meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.forms import create, errors, publish, submit, walk
from tests.people import People
from tests.running import Running

OSLO = {"question": "city", "value": "Oslo", "limit": 1}
ASKED: dict[str, Any] = {
    "elements": [
        {"type": "radiogroup", "name": "city", "choices": ["Oslo", {"value": 2, "text": "Rome"}, "a=b.$c"]},
        {"type": "checkbox", "name": "likes", "choices": ["tea", "coffee"], "showOtherItem": True},
        {"type": "text", "name": "name"},
        {
            "type": "paneldynamic",
            "name": "p",
            "templateElements": [{"type": "dropdown", "name": "d", "choices": [1]}],
        },
        {"type": "checkbox", "name": "many", "choices": list(range(80))},
        {"type": "dropdown", "name": "late", "choices": ["x"]},
    ]
}


def quota(limit: int, value: Any = "Oslo", question: str = "city") -> dict[str, Any]:
    return {"question": question, "value": value, "limit": limit}


def counts(appliance: Running, form_id: str) -> list[int]:
    with appliance.database() as client:
        row = client.get_default_database("appliance").form_counters.find_one({"_id": form_id})
    assert row is not None
    return sorted(row.get("counts", {}).values())


def full(answer: httpx.Response, path: str = "/data/city") -> bool:
    """Refused by a quota; else accepted."""
    if answer.status_code == 201:
        return False
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/quota-full"), answer.text
    assert list(errors(answer)) == [path]
    return True


def test_exactly_as_many_of_an_answer_as_the_quota_says(appliance: Running, cast: People) -> None:
    """200 at once through all API processes; those that answer otherwise are not in the way."""
    form_id = publish(cast.alice, public=True, quotas=[quota(100), quota(20, "Rome")], max_responses=1000)

    def one(number: int) -> tuple[str, bool]:
        city = ("Oslo", "Rome", "Lima")[number % 3 if number >= 150 else 0]
        with appliance.client() as client:
            return city, full(submit(client, form_id, city=city, words=str(number)))

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(one, range(240)))
    taken = {
        city: sum(name == city and not refused for name, refused in found)
        for city in ("Oslo", "Rome", "Lima")
    }
    assert taken == {"Oslo": 100, "Rome": 20, "Lima": 30}
    stored = walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")
    assert len(stored) == 150
    assert full(submit(cast.nobody, form_id, city="Oslo"))
    assert not full(submit(cast.nobody, form_id, city="Lima"))
    assert counts(appliance, form_id) == [20, 100]


def test_a_quota_set_later_counts_what_is_there(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True)
    path = f"/api/v1/forms/{form_id}"
    old = [submit(cast.nobody, form_id, city="Oslo") for _ in range(5)]
    submit(cast.nobody, form_id, city="Rome")
    cast.alice.delete(old[0].headers["location"])
    assert cast.alice.patch(path, json={"settings": {"quotas": [quota(7)]}}).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        refused = list(pool.map(lambda _: full(submit(cast.nobody, form_id, city="Oslo")), range(8)))
    assert refused.count(False) == 2, "a deleted one still counts"
    assert cast.alice.patch(path, json={"settings": {"quotas": [quota(8)]}}).status_code == 200
    assert [full(submit(cast.nobody, form_id, city="Oslo")) for _ in range(2)] == [False, True]
    assert cast.alice.patch(path, json={"settings": {"quotas": None}}).status_code == 200
    assert not full(submit(cast.nobody, form_id, city="Oslo"))
    assert cast.alice.patch(path, json={"settings": {"quotas": [quota(8)]}}).status_code == 200
    assert full(submit(cast.nobody, form_id, city="Oslo")), "nine by now"


def test_setting_it_while_answers_come(appliance: Running, cast: People) -> None:
    """Whatever was under way when the quota came is counted, so in the end nothing is above it."""
    form_id = publish(cast.alice, public=True)

    def one(number: int) -> int:
        if number == 40:
            body = {"settings": {"quotas": [quota(100)]}}
            return cast.alice.patch(f"/api/v1/forms/{form_id}", json=body).status_code
        with appliance.client() as client:
            return 410 if full(submit(client, form_id, city="Oslo")) else 201

    with ThreadPoolExecutor(24) as pool:
        codes = list(pool.map(one, range(200)))
    assert (codes.count(201), codes.count(410), codes.count(200)) == (100, 99, 1)
    assert counts(appliance, form_id) == [100]


def test_edits_move_the_count(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, quotas=[quota(1), quota(5, "tea", "likes")])
    first = submit(cast.nobody, form_id, city="Oslo", likes=["tea", "water"])
    other = submit(cast.nobody, form_id, city="Rome")
    assert full(submit(cast.nobody, form_id, city="Oslo"))

    def edit(answer: httpx.Response, **data: Any) -> None:
        body = {"data": {"name": "Ada", **data}}
        assert cast.alice.patch(answer.headers["location"], json=body).status_code == 200

    edit(first, city="Lima", likes=["tea"])
    assert counts(appliance, form_id) == [0, 1]
    assert not full(submit(cast.nobody, form_id, city="Oslo"))
    edit(other, city="Oslo")
    assert counts(appliance, form_id) == [1, 2], "who edits may go past it"
    assert full(submit(cast.nobody, form_id, city="Oslo"))
    assert cast.alice.delete(other.headers["location"]).status_code == 204
    assert full(submit(cast.nobody, form_id, city="Oslo"))


def test_keys_and_refusals_take_no_places(cast: People) -> None:
    form_id = publish(cast.alice, public=True, quotas=[quota(2)])
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda n: submit(cast.nobody, form_id, f"key-{n % 2}", city="Oslo"), range(40))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert full(submit(cast.nobody, form_id, "another", city="Oslo"))
    assert submit(cast.nobody, form_id, "key-1", city="Oslo").status_code == 201
    assert submit(cast.nobody, form_id, city="Oslo", age=-1).status_code == 422
    dry = cast.nobody.post(
        f"/api/v1/forms/{form_id}/responses?dry_run=true", json={"data": {"name": "A", "city": "Oslo"}}
    )
    assert dry.status_code == 200, "as with full forms"


def test_places_of_refused_people_come_back(cast: People) -> None:
    form_id = publish(cast.alice, public=True, one_per_person=True, quotas=[quota(2)])
    with ThreadPoolExecutor(8) as pool:
        codes = sorted(pool.map(lambda _: submit(cast.charlie, form_id, city="Oslo").status_code, range(8)))
    assert codes.count(201) == 1 and set(codes[1:]) <= {409, 410}
    assert submit(cast.bob, form_id, city="Oslo").status_code == 201
    assert full(submit(cast.alice, form_id, city="Oslo"))


def test_several_in_one_answer_and_odd_values(cast: People) -> None:
    wanted = [quota(1, "tea", "likes"), quota(1, "other", "likes"), quota(1, "2"), quota(1, "a=b.$c")]
    form = create(cast.alice, definition=ASKED, settings={"public": True, "quotas": wanted})
    form_id = form["form_id"]
    assert cast.alice.post(f"/api/v1/forms/{form_id}/publish").status_code == 200

    def answer(**data: Any) -> httpx.Response:
        return cast.nobody.post(f"/api/v1/forms/{form_id}/responses", json={"data": data})

    assert [full(answer(city=2)), full(answer(city="2"))] == [False, True]
    assert [full(answer(city="a=b.$c")) for _ in range(2)] == [False, True]
    assert not full(answer(likes=["tea", "coffee"]))
    assert full(answer(likes=["coffee", "tea"]), "/data/likes")
    other = {"likes": ["other"], "likes-Comment": "milk"}
    assert [full(answer(**other), "/data/likes") for _ in range(2)] == [False, True]
    assert not full(answer(likes=["coffee"]))


@pytest.mark.parametrize(
    "given, place, status",
    [
        (quota(1, "Paris"), "0/value", 422),
        (quota(1, "x", "nothing"), "0/question", 422),
        (quota(1, "x", "name"), "0/question", 422),
        (quota(1, 1, "d"), "0/question", 422),
        (quota(1, "x", "late"), "0/question", 422),
        (quota(-1), "0/limit", 400),
        ({"question": "city"}, "0/value", 400),
        (quota(1, ["Oslo"]), "0/value", 400),
        ({**OSLO, "more": 1}, "0/more", 400),
    ],
)
def test_quotas_that_do_not_fit(cast: People, given: dict[str, Any], place: str, status: int) -> None:
    body = {"title": "t", "definition": ASKED, "settings": {"quotas": [given]}}
    refused = cast.alice.post("/api/v1/forms", json=body)
    assert (refused.status_code, list(errors(refused))) == (status, [f"/settings/quotas/{place}"]), (
        refused.text
    )
    form_id = create(cast.alice, definition=ASKED)["form_id"]
    refused = cast.alice.patch(f"/api/v1/forms/{form_id}", json={"settings": {"quotas": [given]}})
    assert (refused.status_code, list(errors(refused))) == (status, [f"/settings/quotas/{place}"]), (
        refused.text
    )


def test_questions_that_a_quota_needs_stay(cast: People) -> None:
    twice = {"title": "t", "definition": ASKED, "settings": {"quotas": [OSLO, {**OSLO, "limit": 5}]}}
    assert list(errors(cast.alice.post("/api/v1/forms", json=twice))) == ["/settings/quotas/1/value"]
    form_id = publish(cast.alice, public=True, quotas=[OSLO])
    path = f"/api/v1/forms/{form_id}"
    assert not full(submit(cast.nobody, form_id, city="Oslo"))
    without = {"definition": {"elements": [{"type": "text", "name": "name"}]}}
    assert cast.alice.patch(path, json=without).status_code == 200
    refused = cast.alice.post(f"{path}/publish")
    assert (refused.status_code, list(errors(refused))) == (422, ["/settings/quotas/0/question"])
    assert cast.alice.patch(path, json={"definition": {"elements": [*ASKED["elements"]]}}).status_code == 200
    assert cast.alice.post(f"{path}/publish").json()["version"] == 2
    assert full(submit(cast.nobody, form_id, city="Oslo")), "counted over all versions"
    by_schema = {"title": "t", "schema": {"type": "object"}, "settings": {"quotas": [OSLO]}}
    assert cast.alice.post("/api/v1/forms", json=by_schema).status_code == 422
