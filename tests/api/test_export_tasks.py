"""Exports that a task makes: whose they are, how long they last, and that a kill spoils none."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import os

import pymongo
import pytest
import standardwebhooks

from appliance.clock import utc_now
from appliance.domain.access import Caller
from appliance.errors import Conflict
from appliance.services import export_making, export_running
from appliance.services.context import open_context
from appliance.services.export_making import Limits, Wanted
from appliance.services.export_shapes import StartExport
from tests.api.exports import ask, csv_rows, fetch, parquet_rows, prune, sheets, start
from tests.api.forms import errors, publish, submit
from tests.api.tasks import paused, until_status
from tests.api.test_exports import ANSWER, wide
from tests.api.test_shares import give
from tests.api.webhooks import OK
from tests.bench import wide as many
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until
from tests.security import receivers
from tests.security.receivers import Turns


def test_a_download_is_the_file_that_was_promised(cast: People, appliance: Running) -> None:
    form_id = wide(cast.alice, ANSWER, {"age": 7})
    for kind in ("csv", "xlsx", "ndjson", "parquet"):
        export_id = start(cast.alice, form_id, format=kind)
        answer = fetch(cast.alice, export_id)
        assert answer.headers["x-row-count"] == "2"
        at_once = ask(cast.alice, form_id, format=kind)
        assert answer.headers["content-type"] == at_once.headers["content-type"]
        if kind == "xlsx":
            assert sheets(answer.content) == sheets(at_once.content)
        elif kind == "parquet":
            assert parquet_rows(answer.content) == parquet_rows(at_once.content)
        else:
            assert answer.content == at_once.content
    path = f"/api/v1/exports/{export_id}"
    part = cast.alice.get(path, headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, answer.content[4:10])
    assert part.headers["repr-digest"] == answer.headers["repr-digest"], "of the whole"
    tasks = cast.alice.get("/api/v1/tasks", params={"form_id": form_id}).json()["tasks"]
    assert {task["name"] for task in tasks} == {"export_responses"}
    assert list(appliance.paths.exports.glob("*.part")) == []


def test_it_belongs_to_who_asked_for_it(cast: People) -> None:
    form_id = wide(cast.alice, {"age": 7})
    give(cast.alice, form_id, ("bob", "view"))
    hers, his = start(cast.alice, form_id), start(cast.bob, form_id)
    fetch(cast.alice, hers)
    fetch(cast.bob, his)
    for client, status in ((cast.nobody, 401), (cast.charlie, 404), (cast.bob, 404), (cast.admin, 200)):
        assert client.get(f"/api/v1/exports/{hers}").status_code == status
    assert (
        cast.bob.post(
            f"/api/v1/forms/{form_id}/exports", json={"format": "csv", "status": "deleted"}
        ).status_code
        == 403
    )
    assert ask(cast.bob, form_id, status="deleted").status_code == 403
    give(cast.alice, form_id)
    assert cast.bob.get(f"/api/v1/exports/{his}").status_code == 404, "his rights are looked at again"
    assert cast.alice.delete(f"/api/v1/forms/{form_id}").status_code == 204
    assert cast.alice.get(f"/api/v1/exports/{hers}").status_code == 404
    for path in (f"/_exports/{hers}", "/_exports/", "/_exports/../secrets/admin_password"):
        assert cast.alice.get(path).status_code == 404, "nginx gives it to nobody by itself"


def test_it_is_gone_after_a_day(cast: People, appliance: Running) -> None:
    form_id = wide(cast.alice, {"age": 7})
    export_id, kept = start(cast.alice, form_id), start(cast.alice, form_id)
    fetch(cast.alice, export_id)
    fetch(cast.alice, kept)
    folder = appliance.paths.exports
    stale = folder / "left-over.part"
    stale.write_bytes(b"x")
    with appliance.database() as client:
        rows = client.get_default_database("appliance").exports
        rows.update_one({"_id": export_id}, {"$set": {"expires_at": utc_now() - dt.timedelta(seconds=1)}})
        assert cast.alice.get(f"/api/v1/exports/{export_id}").status_code == 404, "before it is pruned, too"
        prune(appliance, utc_now())
        assert rows.find_one({"_id": export_id}) is None
    assert not (folder / export_id).exists() and (folder / kept).exists() and stale.exists()
    fetch(cast.alice, kept)
    os.utime(stale, (0, 0))
    prune(appliance, utc_now())
    assert not stale.exists() and (folder / kept).exists()


def test_it_is_told_of_while_it_is_made_and_can_be_cancelled(cast: People) -> None:
    form_id = publish(cast.alice)
    with paused(cast.admin, "default"):
        export_id = start(cast.alice, form_id)
        answer = cast.alice.get(f"/api/v1/exports/{export_id}")
        assert (answer.status_code, answer.json()["task_id"]) == (202, export_id)
        assert cast.charlie.get(f"/api/v1/exports/{export_id}").status_code == 404
        until_status(cast.alice, export_id, "queued")
        assert cast.alice.delete(f"/api/v1/tasks/{export_id}").status_code == 204
        assert cast.alice.get(f"/api/v1/exports/{export_id}").status_code == 404


def test_a_key_starts_one_export(cast: People) -> None:
    form_id = publish(cast.alice)
    path, headers = f"/api/v1/forms/{form_id}/exports", {"idempotency-key": "nightly"}
    first = cast.alice.post(path, json={"format": "csv"}, headers=headers)
    again = cast.alice.post(path, json={"format": "csv"}, headers=headers)
    assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
    assert cast.alice.post(path, json={"format": "xlsx"}, headers=headers).status_code == 422
    fetch(cast.alice, first.json()["task_id"])


def test_its_end_is_told_to_the_url_of_its_request(cast: People) -> None:
    form_id = wide(cast.alice, {"age": 7})
    secret = cast.alice.post("/api/v1/webhooks/default/rotate").json()["secret"]
    with receivers.receiver(Turns(OK)) as there:
        export_id = start(cast.alice, form_id, webhook_url=there.url())
        until(lambda: len(there.requests) >= 1, 30, "the delivery")
        headers, body = there.requests[0]
        told = json.loads(body)
        assert (told["type"], told["task_id"], told["status"]) == ("task.completed", export_id, "completed")
        assert standardwebhooks.Webhook(secret).verify(body, headers)
        answer = cast.alice.get(told["result"]["export_url"])
        assert [row["age"] for row in csv_rows(answer.content)] == ["7"]
        assert told["data"]["result"]["rows"] == 1
        assert len(there.requests) == 1
    path = f"/api/v1/forms/{form_id}/exports"
    refused = cast.alice.post(path, json={"format": "csv", "webhook_url": "https://user:pw@example.org/"})
    assert (refused.status_code, list(errors(refused))) == (400, ["/webhook_url"])


def test_a_killed_export_is_made_anew(cast: People, appliance: Running) -> None:
    form_id = many.publish(cast.alice)
    many.fill(appliance, form_id, 6_000)
    folder = appliance.paths.exports
    export_id = start(cast.alice, form_id, format="xlsx")
    draft = folder / f"{export_id}.part"
    until(lambda: draft.exists() and draft.stat().st_size > 0, 20, "it is being written")
    appliance.signal("worker-default")
    answer = fetch(cast.alice, export_id, seconds=90)
    assert cast.alice.get(f"/api/v1/tasks/{export_id}").json()["attempts"] > 1
    assert len(sheets(answer.content)["responses"]) == 6_000
    assert list(folder.glob("*.part")) == []
    with appliance.database() as client:
        deeds = client.get_default_database("appliance").exports.count_documents({"form_id": form_id})
    assert deeds == 1


@pytest.mark.parametrize("limits", [Limits(rows=3, bytes=2**30), Limits(rows=100, bytes=1000)])
def test_what_is_too_much_to_wait_for_is_refused(cast: People, appliance: Running, limits: Limits) -> None:
    form_id = publish(cast.alice)
    for _ in range(5):
        submit(cast.alice, form_id, words="w" * 500)

    async def make(most: Limits) -> int:
        context = open_context(appliance.settings)
        try:
            wanted = Wanted(format="csv", time_zone="UTC")
            return await export_making.make(context, form_id, wanted, io.BytesIO(), limits=most)
        finally:
            await context.client.close()
            context.generations.close()

    with pytest.raises(Conflict, match="exports"):
        asyncio.run(make(limits))
    assert asyncio.run(make(Limits(rows=5, bytes=2**30))) == 5


def test_making_one_may_take_longer_than_a_request_has_in_the_database(
    cast: People, appliance: Running
) -> None:
    form_id = wide(cast.alice, {"age": 7})
    me = cast.alice.get("/auth/me").json()
    caller = Caller(me["user_id"], me["username"], frozenset(me["roles"]))

    async def late() -> int:
        context = open_context(appliance.settings)
        try:
            await context.forms.get(form_id)
            with pymongo.timeout(0.2):
                await asyncio.sleep(0.3)
                whole = await export_running.at_once(context, caller, form_id, StartExport(format="csv"))
            with whole.file:
                return whole.about.rows
        finally:
            await context.client.close()
            context.generations.close()

    assert asyncio.run(late()) == 1
    deeds = cast.admin.get("/api/v1/audit", params={"subject": form_id}).json()["audit"]
    assert "responses.exported" in {deed["action"] for deed in deeds}


def test_large_responses_come_fewer_at_a_time(cast: People, appliance: Running) -> None:
    """A window that holds more than the server sends at once is read anew, and nothing is left out."""
    form_id = publish(cast.alice)
    for size in (*[10] * 30, *[900_000] * 40, *[10] * 30):
        assert submit(cast.alice, form_id, words="é" * (size // 2)).status_code == 201
    lines = fetch(cast.alice, start(cast.alice, form_id, format="ndjson")).content.splitlines()
    sizes = [len(json.loads(line)["data"]["words"]) for line in lines]
    assert sizes == [5] * 30 + [450_000] * 40 + [5] * 30
