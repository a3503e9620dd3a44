"""What is kept for its days is purged after them: exactly that, with its places, whoever comes in between."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import bson
import httpx
import pytest

from appliance.clock import new_id, utc_now
from appliance.services import purging, retention
from appliance.services.context import Context
from appliance.stores import purged, purges
from appliance.stores.mongo import Document
from appliance.stores.purges import Purged, Why
from tests.api.forms import publish, submit
from tests.api.test_subjects import prune_files, run_lake
from tests.api.uploads import answer_with, form_with_files, new_token, uploaded
from tests.faults.steering import counters, settle_as_if_later, stored, with_context
from tests.people import People
from tests.running import Running

DAY = dt.timedelta(days=1)


def as_old(appliance: Running, form_id: str, ids: list[str], **fields: dt.timedelta) -> None:
    """As if it had come, or been changed, so long ago."""
    change = {"$set": {name: utc_now() - age for name, age in fields.items()}}
    with appliance.database() as client:
        rows = client.get_default_database("appliance").responses
        assert rows.update_many({"_id": {"$in": ids}, "form_id": form_id}, change).matched_count == len(ids)


def delete_form(appliance: Running, client: httpx.Client, form_id: str, age: dt.timedelta) -> None:
    assert client.delete(f"/api/v1/forms/{form_id}").status_code == 204
    with appliance.database() as database:
        forms = database.get_default_database("appliance").forms
        forms.update_one({"_id": form_id}, {"$set": {"deleted_at": utc_now() - age}})


def work(appliance: Running, *, days: float = 0, seconds: float = 60) -> retention.Done:
    """The whole of it, with a clock that is ahead by so many days."""

    async def all_of_it(context: Context) -> retention.Done:
        now, after, gone = utc_now() + days * DAY, 0, 0
        while True:
            done = await retention.work(context, now, after, lambda count: None, seconds)
            gone += done.gone
            if done.is_over:
                await purging.tidy(context)
                return done._replace(gone=gone)
            assert (done.after, done.gone) != (after, 0), "it comes further each time"
            after = done.after

    settle_as_if_later(appliance)
    return with_context(appliance, all_of_it)


def purge(appliance: Running, form_id: str, ids: list[str], because: purges.Because = "deleted") -> Purged:
    settle_as_if_later(appliance)
    return with_context(appliance, lambda context: purging.purge(context, form_id, ids, Why(because)))


def ids_of(client: httpx.Client, form_id: str, count: int, **data: Any) -> list[str]:
    return [submit(client, form_id, **data).json()["response_id"] for _ in range(count)]


def left(appliance: Running, form_id: str) -> set[str]:
    return {row["_id"] for row in stored(appliance, form_id)}


def test_responses_go_after_their_days_and_no_others(appliance: Running, cast: People) -> None:
    form_id, keeps = publish(cast.alice, retention_days=10), publish(cast.alice)
    ids, others = ids_of(cast.alice, form_id, 6), ids_of(cast.alice, keeps, 2)
    as_old(appliance, form_id, ids[:3], created_at=11 * DAY)
    as_old(appliance, form_id, ids[3:4], created_at=9 * DAY)
    as_old(appliance, keeps, others, created_at=4000 * DAY)
    run_lake(appliance)
    work(appliance)
    assert left(appliance, form_id) == set(ids[3:]) and left(appliance, keeps) == set(others)
    assert counters(appliance, form_id)["taken"] == 3
    entries = cast.admin.get(
        "/api/v1/audit", params={"subject": form_id, "action": "responses.purged"}
    ).json()
    [entry] = entries["audit"]
    assert entry["details"] == {"responses": 3, "because": "retention"} and entry["actor"] is None
    assert run_lake(appliance).drift == 0
    work(appliance, days=2)
    assert left(appliance, form_id) == set(ids[4:]), "the next one a day later, although none came"
    work(appliance, days=11)
    assert left(appliance, form_id) == set()
    assert cast.alice.get(f"/api/v1/forms/{form_id}").json()["response_count"] == 0


def test_nobody_waits_long_for_one_piece(appliance: Running, cast: People) -> None:
    """Of a time that is over at once, each turn does what it can begin, and the next goes on there."""
    form_id = publish(cast.alice, retention_days=1)
    ids = ids_of(cast.alice, form_id, 3)
    as_old(appliance, form_id, ids, created_at=2 * DAY)
    last = with_context(appliance, lambda context: _number(context, form_id))
    settle_as_if_later(appliance)

    async def late(context: Context) -> retention.Done:
        return await retention.work(context, utc_now(), last - 1, lambda count: None, -1.0)

    done = with_context(appliance, late)
    assert done == (last - 1, 0, False) and left(appliance, form_id) == set(ids)
    work(appliance)
    assert left(appliance, form_id) == set()


async def _number(context: Context, form_id: str) -> int:
    form = await context.db.forms.find_one({"_id": form_id})
    assert form is not None
    return int(form["number"])


def test_deleted_ones_after_a_month_unless_they_are_restored(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, max_responses=4)
    ids = ids_of(cast.alice, form_id, 4)
    url = f"/api/v1/forms/{form_id}/responses"
    for response_id in ids[:3]:
        assert cast.alice.delete(f"{url}/{response_id}").status_code == 204
    assert submit(cast.alice, form_id).status_code == 410, "a deleted response counts"
    as_old(appliance, form_id, ids[:2], updated_at=31 * DAY)
    assert cast.alice.post(f"{url}/{ids[0]}/restore").status_code == 200
    work(appliance)
    assert left(appliance, form_id) == {ids[0], *ids[2:]}
    assert submit(cast.alice, form_id).status_code == 201, "until it is purged"
    assert submit(cast.alice, form_id).status_code == 410
    assert cast.alice.post(f"{url}/{ids[1]}/restore").status_code == 404
    assert cast.alice.get(f"{url}/{ids[1]}/history").status_code == 404


def test_what_is_restored_just_then_stays(appliance: Running, cast: People) -> None:
    """Between the look for it and its purge."""
    form_id = publish(cast.alice)
    [one] = ids_of(cast.alice, form_id, 1)

    def is_due(row: Document) -> bool:
        return bool(row["status"] == "deleted")

    settle_as_if_later(appliance)
    done = with_context(
        appliance, lambda context: purging.purge(context, form_id, [one], Why("deleted"), is_due)
    )
    assert done == (0, 0) and left(appliance, form_id) == {one}


def test_a_place_in_a_quota_comes_back(appliance: Running, cast: People) -> None:
    quotas = [{"question": "city", "value": "Oslo", "limit": 2}]
    form_id = publish(cast.alice, quotas=quotas)
    first, second = ids_of(cast.alice, form_id, 2, city="Oslo")
    assert submit(cast.alice, form_id, city="Oslo").status_code == 410
    assert submit(cast.alice, form_id, city="Rome").status_code == 201
    assert purge(appliance, form_id, [first]) == (1, 0)
    assert submit(cast.alice, form_id, city="Oslo").status_code == 201
    assert submit(cast.alice, form_id, city="Oslo").status_code == 410
    assert purge(appliance, form_id, [first, second]) == (1, 0), "what is gone gives nothing back"


def test_a_person_may_answer_again_but_not_by_a_link_for_one(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, one_per_person=True)
    [mine] = ids_of(cast.bob, form_id, 1)
    assert submit(cast.bob, form_id).status_code == 409
    link = cast.alice.post(f"/api/v1/forms/{form_id}/links", json={"single_use": True}).json()
    by_link = {"x-form-link": link["token"]}
    url = f"/api/v1/forms/{form_id}/responses"
    body = {"data": {"name": "Ada"}}
    linked = cast.nobody.post(url, json=body, headers=by_link).json()["response_id"]
    assert purge(appliance, form_id, [mine, linked]) == (2, 0)
    assert submit(cast.bob, form_id).status_code == 201
    assert cast.nobody.post(url, json=body, headers=by_link).status_code == 403


def test_what_is_still_reserved_is_put_off(appliance: Running, cast: People) -> None:
    """Its writer may have died before it struck the reservation: the place would come back twice."""
    form_id = publish(cast.alice, max_responses=2)
    [one] = ids_of(cast.alice, form_id, 1)
    settle_as_if_later(appliance)
    seq = stored(appliance, form_id)[0]["seq"]
    entry = {"id": new_id(), "n": 1, "upto": seq, "at": utc_now() - DAY, "epoch": 0}
    with appliance.database() as client:
        forms = client.get_default_database("appliance").form_counters
        forms.update_one({"_id": form_id}, {"$push": {"open": entry}})
    done = with_context(appliance, lambda context: purging.purge(context, form_id, [one], Why("erasure")))
    assert done.gone + done.put_off == 1
    assert purge(appliance, form_id, [one]).put_off == 0
    assert left(appliance, form_id) == set() and counters(appliance, form_id)["taken"] == 0


def test_two_at_once_take_each_out_once(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, retention_days=1)
    lines = "".join(
        json.dumps({"data": {"name": f"n{number}", "city": "Oslo"}}) + "\n" for number in range(250)
    )
    cast.alice.post(
        f"/api/v1/forms/{form_id}/responses/batch",
        content=lines,
        headers={"content-type": "application/x-ndjson"},
    )
    ids = sorted(left(appliance, form_id))
    assert len(ids) == 250
    as_old(appliance, form_id, ids, created_at=2 * DAY)
    settle_as_if_later(appliance)

    async def both(context: Context) -> list[Purged]:
        why = Why("retention")
        return list(await asyncio.gather(*(purging.purge(context, form_id, ids, why) for _ in range(2))))

    done = with_context(appliance, both)
    assert sum(each.gone for each in done) == 250
    assert left(appliance, form_id) == set() and counters(appliance, form_id)["taken"] == 0


def test_submissions_go_on_and_counts_stay_right(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, max_responses=100_000)
    ids = ids_of(cast.alice, form_id, 25)
    settle_as_if_later(appliance)

    async def one_by_one(context: Context) -> int:
        gone = 0
        for response_id in ids:
            while True:
                done = await purging.purge(context, form_id, [response_id], Why("deleted"))
                gone += done.gone
                if not done.put_off:
                    break
                await asyncio.sleep(0.1)
        return gone

    async def meanwhile(context: Context) -> tuple[int, list[int]]:
        async with httpx.AsyncClient(
            base_url=appliance.url, headers=dict(cast.alice.headers), trust_env=False, timeout=30
        ) as client:

            async def send() -> int:
                answer = await client.post(f"/api/v1/forms/{form_id}/responses", json={"data": {"name": "A"}})
                return answer.status_code

            purging_them = asyncio.create_task(one_by_one(context))
            statuses = []
            while not purging_them.done():
                statuses += await asyncio.gather(*(send() for _ in range(8)))
            return await purging_them, statuses

    gone, statuses = with_context(appliance, meanwhile)
    settle_as_if_later(appliance)
    assert gone == 25 and set(statuses) == {201} and len(statuses) >= 8
    assert counters(appliance, form_id)["taken"] == len(left(appliance, form_id)) == len(statuses)


def test_a_half_filled_response_that_was_submitted_does_not_come_back(
    appliance: Running, cast: People
) -> None:
    """Though its writer died before it could say so there."""
    form_id = publish(cast.alice, public=True)
    token = new_token()
    path = f"/api/v1/forms/{form_id}/partial/{token}"
    assert cast.nobody.put(path, json={"data": {"name": "Ada"}}).status_code == 201
    with appliance.database() as client:
        partials = client.get_default_database("appliance").partials
        [before] = partials.find({"form_id": form_id})
        answer = cast.nobody.post(
            f"/api/v1/forms/{form_id}/responses", json={"data": {"name": "Ada"}, "partial": token}
        )
        assert answer.status_code == 201, answer.text
        partials.replace_one({"_id": before["_id"]}, before)
    assert purge(appliance, form_id, [answer.json()["response_id"]]) == (1, 0)
    assert cast.nobody.get(path).status_code == 404
    with appliance.database() as client:
        [after] = client.get_default_database("appliance").partials.find({"form_id": form_id})
    assert after["state"] == "submitted" and "data" not in after


def test_a_deleted_form_goes_with_all_that_is_of_it(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    photo = uploaded(cast.alice, form_id)
    loose = uploaded(cast.alice, form_id)
    assert answer_with(cast.alice, form_id, photos=[photo]).status_code == 201
    assert (
        cast.nobody.put(
            f"/api/v1/forms/{form_id}/partial/{new_token()}", json={"data": {"name": "A"}}
        ).status_code
        == 201
    )
    assert cast.alice.post(f"/api/v1/forms/{form_id}/links", json={}).status_code == 201
    hook = {"url": "http://127.0.0.1:9/", "events": ["response.created"], "form_id": form_id}
    assert cast.alice.post("/api/v1/webhooks", json=hook).status_code == 201
    run_lake(appliance)
    delete_form(appliance, cast.alice, form_id, 29 * DAY)
    work(appliance)
    assert left(appliance, form_id), "it can be restored for a month"
    work(appliance, days=2)
    assert cast.alice.post(f"/api/v1/forms/{form_id}/restore").status_code == 404
    assert _of_form(appliance, form_id) == {"files": 2, "forms": 1, "form_counters": 1, "form_storage": 1}
    assert loose
    prune_files(appliance)
    work(appliance, days=3)
    assert _of_form(appliance, form_id) == {}
    assert run_lake(appliance).drift == 0
    assert run_lake(appliance).drift == 0
    deeds = cast.admin.get("/api/v1/audit", params={"subject": form_id}).json()["audit"]
    assert [deed["action"] for deed in deeds[:2]] == ["form.purged", "responses.purged"]


def _of_form(appliance: Running, form_id: str) -> dict[str, int]:
    """Documents that name it, by collection; but for what tells of its purge, and what ends by itself."""
    found = {}
    with appliance.database() as client:
        db = client.get_default_database("appliance")
        for name in db.list_collection_names():
            if name in ("audit", "purged", "ai_outdated", "idempotency"):
                continue
            count = sum(form_id.encode() in raw for raw in _raw(db[name]))
            if count:
                found[name] = count
    return found


def _raw(collection: Any) -> list[bytes]:
    return [bson.encode(row) for row in collection.find()]


def test_the_lake_is_told_until_it_has_heard(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    ids = ids_of(cast.alice, form_id, 3)
    run_lake(appliance)
    purge(appliance, form_id, ids[:2])
    answer = cast.alice.get(f"/api/v1/analytics/forms/{form_id}")
    assert answer.status_code == 200 and sum(row["total"] for row in answer.json()["rows"]) == 1, answer.text
    assert run_lake(appliance).drift == 0
    with appliance.database() as client:
        rows = client.get_default_database("appliance").purged
        assert rows.count_documents({"form_id": form_id}) == 2
        rows.update_many({"form_id": form_id}, {"$set": {"at": utc_now() - 2 * DAY}})
        run_lake(appliance)
        assert rows.count_documents({"form_id": form_id}) == 0


@pytest.mark.parametrize("number", [0, purged.LAST])
def test_a_trace_holds_nothing_of_an_answer(number: int) -> None:
    trace = {"_id": "r", "form_id": "f", "created_at": utc_now(), "seq": number, "at": utc_now()}
    told = purged.as_deleted(trace)
    assert told["data"] == {} and told["submitter"] is None and told["status"] == "deleted"
    assert told["revision"] == purged.LAST
