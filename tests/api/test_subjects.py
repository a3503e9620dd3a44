"""What is kept of a person is found, read out and erased, wherever it lies."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from appliance import disk
from appliance.clock import utc_now
from appliance.errors import Conflict
from appliance.services import erasure_finding, lake_running, pruning
from appliance.services.context import Context
from appliance.stores import ai_results, erasures
from tests import traces
from tests.api import exports, webhooks
from tests.api.accounts import add, signed_in
from tests.api.forms import create, publish, submit
from tests.api.tasks import until_status
from tests.api.uploads import PNG, new_token, upload
from tests.faults.steering import with_context
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

PATH = "/api/v1/subjects"
CONTACT: dict[str, Any] = {
    "elements": [
        {"type": "text", "name": "email"},
        {"type": "comment", "name": "words"},
        {"type": "file", "name": "photos", "storeDataAsText": False, "allowMultiple": True},
        {
            "type": "paneldynamic",
            "name": "others",
            "templateElements": [{"type": "text", "name": "address"}],
        },
    ]
}


def ask(client: httpx.Client, subject: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The erasure, once it was looked for."""
    answer = client.post(PATH, json={"subject": subject, **more})
    assert answer.status_code == 202, answer.text
    until_status(client, answer.json()["task_id"], "completed", seconds=60)
    found: dict[str, Any] = client.get(f"{PATH}/{answer.json()['task_id']}").json()
    return found


def erase(client: httpx.Client, erasure: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(f"{PATH}/{erasure['erasure_id']}/confirm")
    assert answer.status_code == 202, answer.text
    until_status(client, answer.json()["task_id"], "completed", seconds=60)
    found: dict[str, Any] = client.get(f"{PATH}/{erasure['erasure_id']}").json()
    assert found["state"] == "erased"
    return found


def export(client: httpx.Client, erasure: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.get(f"{PATH}/{erasure['erasure_id']}/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def counts(erasure: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {each["form_id"]: (each["responses"], each["partials"]) for each in erasure["found"]}


@pytest.fixture(autouse=True)
def _no_hooks(cast: People) -> Iterator[None]:
    yield
    webhooks.clear(cast.alice, cast.admin)


def contact(client: httpx.Client, **settings: Any) -> str:
    form_id = str(create(client, definition=CONTACT, settings={"public": True, **settings})["form_id"])
    assert client.post(f"/api/v1/forms/{form_id}/publish").status_code == 200
    return form_id


def answered(client: httpx.Client, form_id: str, **data: Any) -> dict[str, Any]:
    answer = client.post(f"/api/v1/forms/{form_id}/responses", json={"data": data})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def _analyzed(context: Context, response_id: str, word: str) -> None:
    """As an analysis keeps it."""
    row = await context.db.responses.find_one({"_id": response_id})
    assert row is not None
    result: dict[str, Any] = {
        **{name: row[name] for name in ("_id", "form_id", "seq", "revision")},
        "kind": "response",
        "created_at": utc_now(),
        "made_by": "m",
        "prompt": f"{word} was here",
        "result": {"sentiment": "positive", "confidence": 1.0, "language": "en", "categories": [word]},
    }
    await ai_results.keep(context.db, [result])
    form = result | {"_id": ai_results.form_row(row["form_id"]), "kind": "form", "seq": 0}
    await context.db.ai_results.replace_one({"_id": form["_id"]}, form, upsert=True)


def run_lake(appliance: Running) -> lake_running.Summary:
    """Once the scheduler's own run is over, which an erasure asks for."""
    done: list[lake_running.Summary] = []

    def has_run() -> bool:
        with contextlib.suppress(Conflict):
            done.append(with_context(appliance, lake_running.run))
        return bool(done)

    until(has_run, 30, "the lake is nobody else's")
    return done[0]


def prune_files(appliance: Running) -> None:
    """What the next hours' prunings do."""

    async def work(context: Context) -> None:
        for hours in (0, 2):
            await pruning.uploaded_files(context, utc_now() + dt.timedelta(hours=hours), 1000)

    with_context(appliance, work)


def test_no_word_of_what_was_erased_is_left_anywhere(
    appliance: Running, cast: People, mailbox: Mailbox
) -> None:
    """Answers, earlier answers, what models found, files and their names, deliveries, receipts, downloads,
    half-filled responses.
    """
    word = unique("zebra").replace("-", "")
    address = f"{word}@example.org"
    form_id = contact(cast.alice, receipt={"question": "email"})
    path = f"/api/v1/forms/{form_id}"
    with webhooks.hook(cast.alice, form_id=form_id, events=["response.created", "response.updated"]) as hook:
        photo = upload(cast.nobody, form_id, content=PNG + word.encode(), name=f"{word}.png").json()
        photos = [{"name": photo["name"], "type": photo["type"], "content": photo["content"]}]
        first = answered(cast.nobody, form_id, email=address, words=f"I am {word}", photos=photos)
        second = answered(
            cast.nobody, form_id, email="x@example.org", others=[{"address": f" {word}@EXAMPLE.org "}]
        )
        changed = cast.alice.patch(
            f"{path}/responses/{second['response_id']}", json={"data": {"email": "y@example.org"}}
        )
        assert changed.status_code == 200, changed.text
        other = answered(cast.nobody, form_id, email="z@example.org", words="somebody else")
        hook.until_messages(4)
        until(lambda: len(mailbox.about(form_id)) == 3, 20, "receipts")
    half = cast.nobody.put(f"{path}/partial/{new_token()}", json={"data": {"email": address}})
    assert half.status_code == 201, half.text
    for response_id in (first["response_id"], second["response_id"]):
        with_context(appliance, lambda context, one=response_id: _analyzed(context, one, word))  # type: ignore[misc]
    download = exports.start(cast.alice, form_id)
    exports.fetch(cast.alice, download)
    cast.alice.get(f"{path}/responses")
    run_lake(appliance)
    before = traces.of(appliance, word)
    assert {
        "database responses", "database response_history", "database ai_results", "database files",
        "database partials", "database webhook_deliveries", f"file exports/{download}",
    } <= before  # fmt: skip
    assert (
        any(place.startswith("lake responses/") for place in before)
        and "lake ai_results/ai_results.parquet" in before
    )
    assert any(place.startswith("redis ") for place in before) and any(
        "file files/" in each for each in before
    )

    erasure = ask(cast.admin, {"answer": f" {address.title()}"})
    assert erasure["state"] == "found" and counts(erasure) == {form_id: (2, 1)}
    lines = export(cast.admin, erasure)
    assert sorted(line["kind"] for line in lines) == ["partial", "response", "response"]
    told = {line["response"]["response_id"]: line for line in lines if line["kind"] == "response"}
    assert told[first["response_id"]]["files"][0]["name"] == f"{word}.png"
    assert told[first["response_id"]]["ai_result"]["text"] == f"{word} was here"
    assert told[second["response_id"]]["history"][0]["data"]["others"] == [
        {"address": f" {word}@EXAMPLE.org "}
    ]
    assert traces.of(appliance, word) == before, "reading it out leaves nothing behind"

    erase(cast.admin, erasure)
    assert cast.alice.get(f"{path}/responses/{first['response_id']}").status_code == 404
    assert [row["response_id"] for row in cast.alice.get(f"{path}/responses").json()["responses"]] == [
        other["response_id"]
    ]
    assert cast.alice.get(f"/api/v1/exports/{download}").status_code == 404
    assert cast.alice.get(f"{path}").json()["response_count"] == 1
    left = traces.of(appliance, word)
    assert {each.split("/")[0] for each in left} <= {
        "database files",
        "file files",
        "lake responses",
        "lake ai_results",
    }
    assert run_lake(appliance).drift == 0
    prune_files(appliance)
    assert traces.of(appliance, word) == set()
    assert cast.admin.get(f"{PATH}/{erasure['erasure_id']}").json()["found"] == erasure["found"], "the record"
    assert cast.admin.get(f"{PATH}/{erasure['erasure_id']}/export").status_code == 409


def test_what_an_account_has_submitted_and_the_account(appliance: Running, cast: People) -> None:
    name = unique("olga")
    user = add(cast.admin, "editor", username=name, email=f"{name}@example.org")
    form_id = publish(cast.alice, public=True)
    other = answered(cast.nobody, form_id, name="Ada")
    with signed_in(appliance, name) as olga:
        mine = [answered(olga, form_id, name="Olga")["response_id"] for _ in range(3)]
        own = publish(olga)
        assert (
            olga.post("/api/v1/api-keys", json={"name": "robot", "scopes": ["forms:read"]}).status_code == 201
        )
        webhooks.create(olga, "http://127.0.0.1:9/")
        erasure = ask(cast.admin, {"user_id": user["user_id"]}, account=True)
        assert counts(erasure) == {form_id: (3, 0)}
        lines = export(cast.admin, erasure)
        assert {line["response"]["response_id"] for line in lines if "response" in line} == set(mine)
        assert [line["email"] for line in lines if line["kind"] == "account"] == [f"{name}@example.org"]
        erase(cast.admin, erasure)
        assert olga.get("/auth/me").status_code == 401
    assert cast.nobody.post("/auth/login", json={"username": name, "password": "x" * 12}).status_code == 401
    left = cast.admin.get(f"/api/v1/users/{user['user_id']}").json()
    assert (left["username"], left["status"], left.get("email")) == (
        f"erased-{user['user_id']}",
        "disabled",
        None,
    )
    assert cast.alice.get(f"/api/v1/forms/{form_id}/responses/{other['response_id']}").status_code == 200
    assert cast.admin.get(f"/api/v1/forms/{own}").json()["owner"] == user["user_id"], "its forms stay"
    again = cast.admin.patch(f"/api/v1/users/{user['user_id']}", json={"status": "active"})
    assert again.status_code == 409, "it is nobody's any more"
    run_lake(appliance)
    assert traces.of(appliance, name) == set()


def test_only_a_count_is_kept_of_a_dry_run(cast: People, appliance: Running) -> None:
    form_id, elsewhere = publish(cast.alice), publish(cast.alice)
    word = unique("name")
    for form in (form_id, form_id, elsewhere):
        submit(cast.alice, form, name=word)
    erasure = ask(cast.admin, {"answer": word}, dry_run=True)
    assert erasure["state"] == "counted" and counts(erasure) == {form_id: (2, 0), elsewhere: (1, 0)}
    assert cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm").status_code == 409
    assert cast.admin.get(f"{PATH}/{erasure['erasure_id']}/export").status_code == 409
    assert counts(ask(cast.admin, {"answer": word}, form_id=elsewhere)) == {elsewhere: (1, 0)}
    assert counts(ask(cast.admin, {"answer": word[:-1]})) == {}, "an answer is the whole of it"
    same = ask(cast.admin, {"answer": word}, dry_run=True)
    assert same["fingerprint"] == erasure["fingerprint"] and word not in json.dumps(same)
    assert {each for each in traces.of(appliance, word) if each.startswith("database e")} == set()


def test_numbers_are_found_as_they_are_spelled(cast: People) -> None:
    form_id = publish(cast.alice)
    submit(cast.alice, form_id, age=123)
    assert counts(ask(cast.admin, {"answer": "123"}, form_id=form_id)) == {form_id: (1, 0)}
    assert counts(ask(cast.admin, {"answer": "1234"}, form_id=form_id)) == {}


def test_by_id_also_in_forms_that_are_deleted(cast: People) -> None:
    form_id = publish(cast.alice)
    ids = [submit(cast.alice, form_id).json()["response_id"] for _ in range(2)]
    assert cast.alice.delete(f"/api/v1/forms/{form_id}").status_code == 204
    erasure = ask(cast.admin, {"response_ids": [*ids, "no-such-response"]})
    assert counts(erasure) == {form_id: (2, 0)}
    again = cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm").json()
    erase(cast.admin, erasure)
    assert cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm").status_code == 409
    assert until_status(cast.admin, again["task_id"], "completed")["result"] == {"responses": 2, "forms": 1}
    assert cast.alice.post(f"/api/v1/forms/{form_id}/restore").status_code == 200
    assert cast.alice.get(f"/api/v1/forms/{form_id}/responses").json()["responses"] == []


def test_a_repeated_request_looks_once(cast: People) -> None:
    body = {"subject": {"answer": unique("nobody")}}
    key = {"idempotency-key": unique("key")}
    first, second = (cast.admin.post(PATH, json=body, headers=key) for _ in range(2))
    assert first.json() == second.json() and second.headers["idempotency-replayed"] == "true"
    other = cast.admin.post(PATH, json={"subject": {"answer": "another"}}, headers=key)
    assert other.status_code == 422


@pytest.mark.parametrize(
    "body, status",
    [
        ({"subject": {}}, 422),
        ({"subject": {"answer": "ab"}}, 400),
        ({"subject": {"answer": {"$gt": ""}}}, 400),
        ({"subject": {"answer": "someone"}, "account": True}, 422),
        ({"subject": {"user_id": "nobody"}, "account": True}, 404),
        ({"subject": {"response_ids": []}}, 400),
        ({}, 400),
    ],
)
def test_what_cannot_be_asked(cast: People, body: dict[str, Any], status: int) -> None:
    assert cast.admin.post(PATH, json=body).status_code == status


def test_admins_alone(cast: People) -> None:
    erasure = ask(cast.admin, {"answer": unique("nobody")})
    one = f"{PATH}/{erasure['erasure_id']}"
    for client, status in ((cast.alice, 403), (cast.bob, 403), (cast.charlie, 403), (cast.nobody, 401)):
        assert client.post(PATH, json={"subject": {"answer": "someone"}}).status_code == status
        for path in (PATH, one, f"{one}/export"):
            assert client.get(path).status_code == status
        assert client.post(f"{one}/confirm").status_code == status
    assert cast.admin.get(f"{PATH}/absent").status_code == 404
    listed = cast.admin.get(PATH, params={"limit": 1}).json()
    assert listed["subjects"] == [erasure] and listed["next_cursor"]
    actions = [
        row["action"]
        for row in cast.admin.get("/api/v1/audit", params={"subject": erasure["erasure_id"]}).json()["audit"]
    ]
    assert actions == ["erasure.asked"]


def test_what_fits_too_many_is_no_person(
    appliance: Running, cast: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    form_id = publish(cast.alice)
    for _ in range(4):
        submit(cast.alice, form_id, name="everybody")
    monkeypatch.setattr(erasure_finding, "MOST", 3)

    class Quiet:
        id = "quiet"

        def progress(self, *_: Any) -> None:
            """Nobody looks."""

    async def look(context: Context) -> dict[str, Any]:
        row = {"state": "finding", "dry_run": False, "by": ["answer"], "form_id": form_id, "number": 0}
        sealed = context.sealer.seal("erasure:quiet", '{"answer":"everybody"}')
        await context.db.erasures.insert_one({"_id": "quiet", "subject": sealed, **row})
        try:
            await erasure_finding.work(context, Quiet())  # type: ignore[arg-type]
            return await erasures.get(context.db, "quiet")
        finally:
            await context.db.erasures.delete_one({"_id": "quiet"})

    found = with_context(appliance, look)
    assert found["state"] == "refused" and "3 responses" in found["error"] and "subject" not in found


def test_what_nobody_confirms_is_let_go(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    word = unique("name")
    submit(cast.alice, form_id, name=word)
    erasure = ask(cast.admin, {"answer": word})

    async def a_week_later(context: Context) -> None:
        await erasures.expire(context.db, utc_now() + erasures.KEPT + dt.timedelta(minutes=1))

    with_context(appliance, a_week_later)
    assert cast.admin.get(f"{PATH}/{erasure['erasure_id']}").json()["state"] == "expired"
    assert cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm").status_code == 409


def test_an_export_that_is_being_made_is_waited_for(appliance: Running, cast: People) -> None:
    """It may have read what is erased. One that is yet to begin has not, and is made."""
    form_id = publish(cast.alice)
    word = unique("name")
    [response_id] = [submit(cast.alice, form_id, name=word).json()["response_id"]]
    ready = exports.start(cast.alice, form_id)
    exports.fetch(cast.alice, ready)
    erasure = ask(cast.admin, {"answer": word})
    one = f"{PATH}/{erasure['erasure_id']}"
    with disk.only_one(appliance.paths.exports) as alone:
        assert alone
        (appliance.paths.exports / "killed.part").write_text(word)
        waiting = exports.start(cast.alice, form_id)
        task = cast.admin.post(f"{one}/confirm").json()["task_id"]
        path = f"/api/v1/forms/{form_id}/responses/{response_id}"
        until(lambda: cast.alice.get(path).status_code == 404, 20, "it is purged")
        assert cast.admin.get(one).json()["state"] == "erasing"
    until_status(cast.admin, task, "completed", seconds=60)
    assert cast.admin.get(one).json()["state"] == "erased"
    assert cast.alice.get(f"/api/v1/exports/{ready}").status_code == 404
    assert word not in exports.fetch(cast.alice, waiting).text
    assert {each for each in traces.of(appliance, word) if not each.startswith("lake")} == set()


def test_two_erasures_of_the_same_at_once(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, max_responses=6)
    word = unique("name")
    for number in range(6):
        submit(cast.alice, form_id, name=word if number % 2 else "somebody")
    both = [ask(cast.admin, {"answer": word}) for _ in range(2)]
    tasks = [cast.admin.post(f"{PATH}/{one['erasure_id']}/confirm").json()["task_id"] for one in both]
    for task in tasks:
        until_status(cast.admin, task, "completed", seconds=60)
    assert cast.alice.get(f"/api/v1/forms/{form_id}").json()["response_count"] == 3
    assert [submit(cast.alice, form_id).status_code for _ in range(4)] == [201, 201, 201, 410]
