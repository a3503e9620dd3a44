"""That nothing of a person is missed, and that whoever waits for an erasure is told how it ends."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec

from appliance.clock import new_id, utc_now
from appliance.security import key_files
from appliance.security.sealing import open_sealer
from appliance.security.signatures import open_signer
from appliance.services import erasures, key_rotation
from appliance.services.context import Context
from appliance.services.erasure_shapes import StartErasure
from appliance.stores import erasures as rows
from appliance.stores.mongo import Document
from tests import traces
from tests.api import webhooks
from tests.api.forms import publish, submit
from tests.api.tasks import paused, until_status
from tests.api.test_response_imports import done, send
from tests.api.test_subjects import PATH, answered, ask, contact, counts, erase
from tests.api.uploads import new_token
from tests.faults.steering import with_context
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until


def test_an_answer_is_found_however_it_is_written(cast: People) -> None:
    """Alone in its form each, so that nothing else has it looked at."""
    for written, asked in (
        ("Weiß", "WEISS"),
        ("WEISS", "Weiß"),
        (unicodedata.normalize("NFD", "José"), "José"),
        ("\u212aelvin", "kelvin"),
        ("ada@example.org\u200b", "ada@example.org"),
    ):
        form_id = publish(cast.alice)
        submit(cast.alice, form_id, name=written)
        submit(cast.alice, form_id, name="somebody else")
        found = ask(cast.admin, {"answer": asked}, form_id=form_id, dry_run=True)
        assert counts(found) == {form_id: (1, 0)}, (written, asked)
    assert cast.admin.post(PATH, json={"subject": {"answer": " \u200b  "}}).status_code == 422


def test_a_half_filled_response_that_is_submitted_meanwhile_goes_too(
    appliance: Running, cast: People
) -> None:
    form_id = contact(cast.alice)
    word, token = unique("ulla"), new_token()
    half = cast.nobody.put(f"/api/v1/forms/{form_id}/partial/{token}", json={"data": {"email": word}})
    assert half.status_code == 201, half.text
    erasure = ask(cast.admin, {"answer": word})
    assert counts(erasure) == {form_id: (0, 1)}
    path = f"/api/v1/forms/{form_id}/responses"
    sent = cast.nobody.post(path, json={"data": {"email": word}, "partial": token})
    assert sent.status_code == 201, sent.text
    assert counts(erase(cast.admin, erasure)) == {form_id: (1, 0)}
    assert cast.alice.get(f"{path}/{sent.json()['response_id']}").status_code == 404
    assert {each for each in traces.of(appliance, word) if not each.startswith("lake")} == set()
    record = msgspec.json.decode((appliance.paths.erasures / f"{erasure['erasure_id']}.json").read_bytes())
    [finds] = record["finds"].values()
    assert finds["responses"] == [sent.json()["response_id"]] and len(finds["submitted"]) == 1


def test_reports_of_imports_and_the_log_of_redis_are_without_it(appliance: Running, cast: People) -> None:
    form_id = contact(cast.alice, receipt={"question": "email"})
    word = unique("zoe").replace("-", "")
    address = f"{word}@example.org"
    lines = [{"data": {"email": address}}, {"data": {"email": address}, word: 1}]
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    result, report = done(cast.alice, send(cast.alice, form_id, content, "ndjson"))
    assert len(report) == 1 and word in json.dumps(report)
    import_id = result["report_url"].rpartition("/")[2]
    answered(cast.nobody, form_id, email=address)
    log = appliance.paths.redis

    def is_logged() -> bool:
        return any(word.encode() in path.read_bytes() for path in log.rglob("*.aof"))

    until(is_logged, 10, "Redis has written it down")
    erase(cast.admin, ask(cast.admin, {"answer": address}))
    assert cast.alice.get(f"/api/v1/exports/{import_id}").status_code == 404
    assert not (appliance.paths.exports / import_id).exists()
    until(lambda: not is_logged(), 30, "the log of Redis is without it")


def test_the_last_admin_is_not_erased(cast: People) -> None:
    me = cast.admin.get("/auth/me").json()["user_id"]
    erasure = ask(cast.admin, {"user_id": me}, account=True)
    refused = cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm")
    assert refused.status_code == 409 and "last active admin" in refused.json()["detail"]
    assert cast.admin.get(f"{PATH}/{erasure['erasure_id']}").json()["state"] == "found"


def test_an_admin_who_became_the_last_one_stays_with_all_that_was_found(
    appliance: Running, cast: People
) -> None:
    """The others went after it was confirmed: nothing goes, and nothing says that it did."""
    form_id, me = publish(cast.alice), cast.admin.get("/auth/me").json()["user_id"]
    response_id = submit(cast.alice, form_id).json()["response_id"]
    erasure = ask(cast.admin, {"response_ids": [response_id]})
    erasure_id = erasure["erasure_id"]

    async def name_the_account(context: Context) -> None:
        change = {"$set": {"account": True, "user_id": me}}
        await context.db.erasures.update_one({"_id": erasure_id}, change)

    with paused(cast.admin, "default"):
        task = cast.admin.post(f"{PATH}/{erasure_id}/confirm").json()["task_id"]
        with_context(appliance, name_the_account)
    until_status(cast.admin, task, "failed", seconds=60)
    told = cast.admin.get(f"{PATH}/{erasure_id}").json()
    assert told["state"] == "failed" and "last active admin" in told["error"]
    assert not (appliance.paths.erasures / f"{erasure_id}.json").exists()
    assert cast.alice.get(f"/api/v1/forms/{form_id}/responses/{response_id}").status_code == 200


def test_an_erasure_that_waits_outlives_its_key(appliance: Running, tmp_path: Path) -> None:
    key = tmp_path / "key"

    async def rotate(context: Context) -> str:
        sealer = open_sealer(key)
        context = dataclasses.replace(context, sealer=sealer)
        one = new_id()
        sealed = sealer.seal(erasures.sealed_as(one), '{"answer":"somebody"}')
        row: Document = {"_id": one, "state": "finding", "number": 0, "subject": sealed}
        await context.db.erasures.insert_one(row)
        try:
            key_files.add(key, clock=lambda: utc_now() - dt.timedelta(minutes=1))
            sealer.keys.look()
            assert await key_rotation.reseal(context) == 1
            assert await key_rotation.reseal(context) == 0
            key_files.take_out(key, utc_now())
            after = dataclasses.replace(context, sealer=open_sealer(key))
            assert len(after.sealer.keys.all()) == 1
            return str(erasures.subject_of(after, await rows.get(context.db, one)).answer)
        finally:
            await context.db.erasures.delete_one({"_id": one})

    assert with_context(appliance, rotate) == "somebody"


def test_a_question_is_known_again_after_cursors_have_another_key(
    appliance: Running, cast: People, tmp_path: Path
) -> None:
    word = unique("weiß")

    async def other_key(context: Context) -> str:
        other = dataclasses.replace(context, cursors=open_signer(tmp_path / "key"))
        body: dict[str, Any] = {"subject": {"answer": word.upper()}, "dry_run": True}
        started, _ = await erasures.start(other, None, msgspec.convert(body, StartErasure))
        return (await erasures.get(context, started.task_id)).fingerprint

    assert (
        with_context(appliance, other_key) == ask(cast.admin, {"answer": word}, dry_run=True)["fingerprint"]
    )


def test_a_search_that_fails_for_good_says_so(appliance: Running, cast: People, tmp_path: Path) -> None:
    async def begin(context: Context) -> str:
        lost = dataclasses.replace(context, sealer=open_sealer(tmp_path / "key"))
        body = {"subject": {"answer": unique("nobody")}}
        started, _ = await erasures.start(lost, None, msgspec.convert(body, StartErasure))
        await context.sender.flush()
        return started.task_id

    erasure_id = with_context(appliance, begin)
    one = f"{PATH}/{erasure_id}"
    until(lambda: cast.admin.get(one).json()["state"] == "failed", 20, "it is said")
    assert "does not open" in cast.admin.get(one).json()["error"]
    assert "subject" not in with_context(appliance, lambda context: rows.get(context.db, erasure_id))
    assert cast.admin.post(f"{one}/confirm").status_code == 409


def test_what_failed_is_let_go_as_well(appliance: Running, cast: People) -> None:
    """Of what nobody confirms again no list is kept; that it failed is."""
    form_id = publish(cast.alice)
    word = unique("name")
    submit(cast.alice, form_id, name=word)
    erasure = ask(cast.admin, {"answer": word})

    async def a_week_later(context: Context) -> Document:
        change = {"$set": {"state": "failed", "error": "why"}}
        await context.db.erasures.update_one({"_id": erasure["erasure_id"]}, change)
        await rows.expire(context.db, utc_now() + rows.KEPT + dt.timedelta(minutes=1))
        return await rows.get(context.db, erasure["erasure_id"])

    left = with_context(appliance, a_week_later)
    assert (left["state"], left["error"]) == ("failed", "why") and "finds" not in left
    assert cast.admin.post(f"{PATH}/{erasure['erasure_id']}/confirm").status_code == 409


def test_what_failed_may_be_confirmed_again(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    word = unique("name")
    submit(cast.alice, form_id, name=word)
    erasure = ask(cast.admin, {"answer": word})
    one = f"{PATH}/{erasure['erasure_id']}"
    with paused(cast.admin, "default"):
        task = cast.admin.post(f"{one}/confirm").json()["task_id"]
        assert cast.admin.delete(f"/api/v1/tasks/{task}").status_code == 204
        until(lambda: cast.admin.get(one).json()["state"] == "failed", 20, "it is said")
    assert cast.admin.get(one).json()["error"] == "its task was cancelled"
    done = erase(cast.admin, erasure)
    assert done["error"] is None and counts(done) == {form_id: (1, 0)}
    webhooks.clear(cast.alice, cast.admin)
