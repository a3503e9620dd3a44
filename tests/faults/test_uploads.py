"""Files and half-filled responses: what goes when nobody comes back, and what a death midway leaves."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from typing import Any

import pytest

from appliance.clock import new_id, utc_now
from appliance.queue.scripts import Job
from appliance.services import pruning
from appliance.services.context import Context
from appliance.stores import files, outbox
from appliance.stores.mongo import Database
from appliance.stores.partials import partial_id
from appliance.tasks import pruning as pruning_task
from tests.api.forms import errors, publish
from tests.api.tasks import until_status
from tests.api.test_partials import finish, path_of, save
from tests.api.uploads import PNG, answer_with, form_with_files, new_token, uploaded
from tests.faults.steering import with_context
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def prune(appliance: Running, *after: dt.timedelta) -> None:
    """As if the hourly task ran so much later, once for each."""

    async def work(context: Context) -> None:
        for age in after:
            await pruning.partial_responses(context, utc_now() + age, 1000)
            await pruning.uploaded_files(context, utc_now() + age, 1000)

    with_context(appliance, work)


def id_of(item: dict[str, Any]) -> str:
    return str(item["content"]).rpartition("/")[2]


def lies_there(appliance: Running, item: dict[str, Any]) -> bool:
    file_id = id_of(item)
    return (appliance.paths.files / file_id[-2:] / file_id).is_file()


def storage(appliance: Running, form_id: str) -> dict[str, int]:
    with appliance.database() as client:
        row = client.get_default_database("appliance").form_storage.find_one({"_id": form_id})
    assert row is not None
    return {name: row[name] for name in row if name != "_id"}


def test_a_file_that_no_response_names_goes_after_a_day(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    item, taken = uploaded(cast.nobody, form_id), uploaded(cast.nobody, form_id)
    assert answer_with(cast.nobody, form_id, photos=[taken]).status_code == 201
    prune(appliance, 23 * HOUR, 23.5 * HOUR)
    assert cast.alice.get(item["content"]).status_code == 200
    prune(appliance, DAY + HOUR)
    refused = answer_with(cast.nobody, form_id, photos=[item])
    assert "upload it again" in errors(refused)["/data/photos/0"], "it is about to go"
    assert lies_there(appliance, item)
    prune(appliance, DAY + 1.5 * HOUR)
    assert lies_there(appliance, item), "a submission might be under way"
    prune(appliance, DAY + 3 * HOUR)
    assert cast.alice.get(item["content"]).status_code == 404
    assert not lies_there(appliance, item)
    assert storage(appliance, form_id) == {"files": 1, "file_bytes": len(PNG)}
    prune(appliance, 400 * DAY, 401 * DAY)
    assert cast.alice.get(taken["content"]).content == PNG


def test_a_partial_response_keeps_its_files_as_long_as_it_is_kept(appliance: Running, cast: People) -> None:
    form_id, token = form_with_files(cast.alice), new_token()
    item = uploaded(cast.nobody, form_id)
    save(cast.nobody, form_id, token, data={"children": [{"picture": [item]}]})
    prune(appliance, 25 * HOUR, 27 * HOUR, 29 * DAY)
    assert cast.nobody.get(path_of(form_id, token)).status_code == 200
    assert lies_there(appliance, item)
    prune(appliance, 31 * DAY, 32 * DAY, 33 * DAY)
    assert cast.nobody.get(path_of(form_id, token)).status_code == 404
    assert not lies_there(appliance, item)
    assert storage(appliance, form_id) == {"files": 0, "file_bytes": 0, "partials": 0, "partial_bytes": 0}
    with appliance.database() as client:
        partials = client.get_default_database("appliance").partials
        row = partials.find_one({"_id": partial_id(form_id, token)})
        assert row is not None and row["state"] == "expired" and "data" not in row
        prune(appliance, 500 * DAY)
        assert partials.find_one({"_id": partial_id(form_id, token)}) is None


def test_a_response_that_comes_at_the_last_moment_keeps_its_file(appliance: Running, cast: People) -> None:
    form_id, token = form_with_files(cast.alice), new_token()
    in_response, in_partial, gone = (uploaded(cast.nobody, form_id) for _ in range(3))
    ids = [id_of(item) for item in (in_response, in_partial, gone)]
    assert answer_with(cast.nobody, form_id, photos=[in_response]).status_code == 201
    save(cast.nobody, form_id, token, data={"photos": [in_partial]})
    with appliance.database() as client:  # as if all three had been doomed just before
        doomed = {"$set": {"state": "doomed", "check_at": utc_now() + HOUR}}
        client.get_default_database("appliance").files.update_many({"_id": {"$in": ids}}, doomed)
    prune(appliance, 2 * HOUR)
    assert [lies_there(appliance, item) for item in (in_response, in_partial, gone)] == [True, True, False]
    assert answer_with(cast.nobody, form_id, photos=[in_partial]).status_code == 201


def test_files_of_purged_responses_go_too(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    item = uploaded(cast.nobody, form_id)
    response_id = answer_with(cast.nobody, form_id, photos=[item]).json()["response_id"]
    prune(appliance, 25 * HOUR)
    cast.alice.delete(f"/api/v1/forms/{form_id}/responses/{response_id}")
    prune(appliance, 50 * DAY, 51 * DAY)
    assert lies_there(appliance, item), "deleted is not purged"

    async def purge(context: Context) -> None:
        db: Database = context.db
        await db.responses.delete_one({"_id": response_id})
        await files.let_go(db, None, [response_id])

    with_context(appliance, purge)
    prune(appliance, HOUR, 3 * HOUR)
    assert not lies_there(appliance, item)


def test_a_submit_whose_process_died_is_followed_up(appliance: Running, cast: People) -> None:
    """The response is there, what was half-filled is still there too."""
    form_id, token = publish(cast.alice, public=True), new_token()
    save(cast.nobody, form_id, token)
    with appliance.database() as client:
        partials = client.get_default_database("appliance").partials
        before = partials.find_one({"_id": partial_id(form_id, token)})
        assert before is not None
        finish(cast.nobody, form_id, token)
        partials.replace_one({"_id": before["_id"]}, before)
        prune(appliance, 0.5 * HOUR)
        assert (partials.find_one({"_id": before["_id"]}) or {})["state"] == "open"
        prune(appliance, 2 * HOUR)
        after = partials.find_one({"_id": before["_id"]})
        assert after is not None and after["state"] == "submitted" and "data" not in after


def test_a_worker_does_it_to_the_end(appliance: Running, cast: People) -> None:
    """More files than one task takes out, so that another one follows."""
    form_id, task_id = form_with_files(cast.alice), unique("prune")
    many = pruning_task.FILES + 2
    with appliance.database() as client:
        rows = client.get_default_database("appliance").files
        row = {"form_id": form_id, "size": 0, "state": "doomed", "check_at": utc_now() - HOUR}
        rows.insert_many([{**row, "_id": new_id()} for _ in range(many)])
        job = Job(task_id, "prune_uploads", {})
        with_context(appliance, lambda context: outbox.promise(context.db, None, job))
        until_status(cast.admin, task_id, "completed")
        until(lambda: rows.count_documents({"form_id": form_id}) == 0, 20, "all are gone")


# -- killed midway

CHILD = """
import asyncio, os, signal, sys
from appliance import settings
from appliance.clock import utc_now
from appliance.services import deadlines, pruning, uploads
from appliance.services.admission import Visit
from appliance.services.context import open_context
from appliance.stores import files, outbox
from appliance.stores.file_area import Draft, FileArea

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def dies(where, name, when):
    original = getattr(where, name)
    if asyncio.iscoroutinefunction(original):
        async def step(*given, **named):
            if when == "before":
                die()
            await original(*given, **named)
            die()
    else:
        def step(*given, **named):
            if when == "before":
                die()
            original(*given, **named)
            die()
    setattr(where, name, step)

async def chunks():
    yield b"some"
    yield b" bytes"

async def sent():
    return uploads.Sent("a.txt", "text/plain", chunks())

async def main():
    context = open_context(settings.load())
    STEP
    if sys.argv[2] == "upload":
        await uploads.upload(context, Visit(form_id=sys.argv[1], caller=None), "photos", sent)
    else:
        await pruning.uploaded_files(context, utc_now(), 1000)
    die()

asyncio.run(main())
"""
UPLOADING = {
    "begun": ("dies(Draft, 'write', 'before')", False),
    "written": ("dies(FileArea, 'put_in_place', 'before')", False),
    "in place": ("dies(FileArea, 'put_in_place', 'after')", False),
    "row": ("dies(files, 'add', 'after')", True),
    "done": ("pass", True),
}
REMOVING = {
    "begun": ("dies(FileArea, 'mark', 'before')", True),
    "marked": ("dies(FileArea, 'mark', 'after')", True),
    "row gone": ("dies(files, 'remove', 'after')", False),
    "done": ("dies(FileArea, 'settle', 'after')", False),
}


def cut(appliance: Running, form_id: str, what: str, step: str) -> None:
    code = CHILD.replace("STEP", step)
    command = [sys.executable, "-c", code, form_id, what]
    ended = subprocess.run(command, env=appliance.environ, check=False, timeout=60, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


def on_disk(appliance: Running) -> set[str]:
    return {path.name for path in appliance.paths.files.rglob("*") if path.is_file()}


def ids_of_form(appliance: Running, form_id: str) -> set[str]:
    with appliance.database() as client:
        return {
            row["_id"] for row in client.get_default_database("appliance").files.find({"form_id": form_id})
        }


@pytest.mark.parametrize("step", UPLOADING)
def test_an_upload_cut_off(appliance: Running, cast: People, step: str) -> None:
    form_id = form_with_files(cast.alice)
    before = on_disk(appliance)
    where, is_stored = UPLOADING[step]
    cut(appliance, form_id, "upload", where)
    rows = ids_of_form(appliance, form_id)
    assert len(rows) == is_stored
    with_context(appliance, lambda context: pruning.broken_off(context))
    with_context(appliance, lambda context: pruning.broken_off(context, 0))
    assert on_disk(appliance) - before == rows, "whole with its row, or not at all"
    assert list((appliance.paths.files / "incoming").iterdir()) == []
    for file_id in rows:
        assert cast.alice.get(f"/api/v1/forms/{form_id}/files/{file_id}").content == b"some bytes"


@pytest.mark.parametrize("step", REMOVING)
def test_a_removal_cut_off(appliance: Running, cast: People, step: str) -> None:
    form_id = form_with_files(cast.alice)
    item = uploaded(cast.nobody, form_id)
    where, stays = REMOVING[step]
    with appliance.database() as client:
        doomed = {"$set": {"state": "doomed", "check_at": utc_now() - HOUR}}
        client.get_default_database("appliance").files.update_one({"_id": id_of(item)}, doomed)
    cut(appliance, form_id, "prune", where)
    with_context(appliance, lambda context: pruning.broken_off(context, 0))
    assert lies_there(appliance, item) == stays == bool(ids_of_form(appliance, form_id))
    prune(appliance, dt.timedelta())
    assert not lies_there(appliance, item) and not ids_of_form(appliance, form_id)
    assert storage(appliance, form_id) == {"files": 0, "file_bytes": 0}
    assert list((appliance.paths.files / "incoming").iterdir()) == []


def test_rooms_that_are_full(appliance: Running, cast: People) -> None:
    """The files and the half-filled responses of one form, each against its own limit."""
    form_id, token = form_with_files(cast.alice), new_token()
    save(cast.nobody, form_id, token)
    with appliance.database() as client:
        rooms = client.get_default_database("appliance").form_storage
        rooms.update_one({"_id": form_id}, {"$set": {"file_bytes": 10_240 * 2**20 - 10, "partials": 20_000}})
        before = on_disk(appliance)
        refused = cast.nobody.post(
            f"/api/v1/forms/{form_id}/files?question=photos",
            content=PNG,
            headers={"content-type": "image/png"},
        )
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/storage-full")
        assert on_disk(appliance) == before
        refused = save(cast.nobody, form_id, new_token())
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/storage-full")
        assert save(cast.nobody, form_id, token, page=3).status_code == 200, "what is there may go on"
        prune(appliance, dt.timedelta())
        assert save(cast.nobody, form_id, new_token()).status_code == 201, "they were counted anew"
        rooms.update_one({"_id": form_id}, {"$set": {"partial_bytes": 2**30}})
        assert save(cast.nobody, form_id, token, data={"name": "longer than it was"}).status_code == 409
        assert save(cast.nobody, form_id, token, data={}).status_code == 200
