"""A disk that fills up: refused in words before it is full, and healed by itself when it was full at once."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pymongo.errors import PyMongoError

from appliance.disk import RESERVE_BYTES, free_bytes
from appliance.runtime.guardian import health
from tests import disks, people
from tests.api.forms import publish, submit
from tests.api.test_partials import save
from tests.api.uploads import PNG, form_with_files, new_token, upload, uploaded
from tests.faults.steering import readiness, seconds_since, stored, until_whole
from tests.people import People
from tests.running import Running, unique
from tests.runtime.servers import until

DISK = "700m"
"""More than the appliance asks for before it starts."""
CLIENTS = 4
ACCEPTS_AGAIN_SECONDS = 5.0
SILENT_SECONDS = health.EVERY * health.FAILURES + health.TIMEOUT
"""Within these the guardian knows that it does not answer."""
HEALED_SECONDS = SILENT_SECONDS + 60.0
"""Until it is ended, then a start with recovery, which a failed attempt may delay."""


@pytest.fixture(scope="module")
def crammed() -> Iterator[Running]:
    """An appliance whose data folder, and what its parent says, are on a small disk of their own."""
    with disks.mounted(str(DISK)) as folder:
        appliance = Running(folder / "data")
        try:
            appliance.start()
            yield appliance
        finally:
            with contextlib.suppress(AssertionError):
                appliance.stop()


@pytest.fixture(scope="module")
def cast(crammed: Running) -> Iterator[People]:
    with people.gather(crammed) as gathered:
        yield gathered


@contextmanager
def filled(appliance: Running, left: int) -> Iterator[None]:
    """Somebody else's file takes all of the disk but `left` bytes."""
    filler = appliance.paths.data.parent / "filler"
    try:
        with filler.open("wb") as file, contextlib.suppress(OSError):
            # By halves: the appliance takes of the same room. The last page is found by failing to get it.
            while (room := free_bytes(filler.parent) - left) > 0:
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, max(room // 2, 4096))
        yield
    finally:
        filler.unlink()


@dataclass(slots=True)
class Told:
    """What clients were answered, in order."""

    answers: list[httpx.Response] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def count(self, status: int, since: int = 0) -> int:
        return sum(answer.status_code == status for answer in self.answers[since:])


@contextmanager
def submitting(appliance: Running, form_id: str) -> Iterator[Told]:
    told, over = Told(), threading.Event()

    def send() -> None:
        with appliance.client() as client:
            while not over.is_set():
                answer = submit(client, form_id, unique("key"), words="w" * 2000)
                told.answers.append(answer)
                if answer.status_code == 201:
                    told.acknowledged.append(answer.json()["response_id"])
                else:
                    over.wait(0.05)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(send) for _ in range(CLIENTS)]
        try:
            yield told
        finally:
            over.set()
        for client in clients:
            client.result()


def check_refusals(answers: list[httpx.Response]) -> None:
    refused = [answer for answer in answers if answer.status_code != 201]
    assert {answer.status_code for answer in refused} == {503}, [answer.text for answer in refused][:3]
    assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def check_kept(appliance: Running, form_id: str, acknowledged: list[str]) -> None:
    assert set(acknowledged) <= {row["_id"] for row in stored(appliance, form_id)}
    assert len(set(acknowledged)) == len(acknowledged) > 0


def test_writes_are_refused_before_the_disk_is_full_and_reads_go_on(crammed: Running, cast: People) -> None:
    form_id, with_files = publish(cast.alice, public=True), form_with_files(cast.alice)
    kept = uploaded(cast.nobody, with_files)
    with submitting(crammed, form_id) as told:
        until(lambda: told.count(201) > 100, 30, "answers are taken")
        with filled(crammed, left=RESERVE_BYTES // 2):
            until(lambda: told.count(503) > 40, 30, "answers are refused")
            assert "nearly full" in told.answers[-1].json()["detail"]
            assert cast.nobody.get(f"/api/v1/forms/{form_id}").status_code == 200
            assert cast.alice.get(f"/api/v1/forms/{form_id}/responses").status_code == 200
            assert cast.alice.post("/api/v1/forms", json={"title": "x", "definition": {}}).status_code == 503
            for size in (10, 10_000_000):
                refused = upload(cast.nobody, with_files, content=PNG + os.urandom(size))
                assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
            assert save(cast.nobody, with_files, new_token()).status_code == 503
            assert cast.alice.get(kept["content"]).content == PNG
            with crammed.client() as client:
                ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
            assert ready.json()["dependencies"]["disk"]["status"] == "down"
        freed = len(told.answers)
        until(lambda: told.count(201, freed) > 100, ACCEPTS_AGAIN_SECONDS, "answers are taken again")
    check_refusals(told.answers)
    check_kept(crammed, form_id, told.acknowledged)
    assert readiness(crammed) == "ready"


def test_a_disk_that_was_full_at_once_is_healed_when_there_is_room_again(
    crammed: Running, cast: People
) -> None:
    form_id = publish(cast.alice, public=True)
    before = crammed.pid("mongo")
    with submitting(crammed, form_id) as told:
        until(lambda: told.count(201) > 100, 30, "answers are taken")
        with filled(crammed, left=0):
            until(lambda: _is_broken(crammed), 75, "the database is broken by the full disk")
            until(lambda: readiness(crammed) == "unavailable", 10, "unavailable")
            time.sleep(SILENT_SECONDS)  # the guardian sees that there is no room to come back to
            assert crammed.pid("mongo") == before
            assert cast.alice.get(f"/api/v1/forms/{form_id}/responses").status_code == 503
        freed, start = len(told.answers), time.monotonic()
        until(lambda: told.count(201, freed) > 100, HEALED_SECONDS, "answers are taken again")
    print(f"healed after {seconds_since(start):.1f} s")
    until_whole(crammed)
    assert crammed.pid("mongo") != before
    said = (crammed.paths.logs / "guardian.log").read_text().splitlines()
    ended = [line for line in said if "does not answer and is ended" in line]
    assert 1 <= len(ended) <= 2
    assert all('"about": "mongo"' in line for line in ended)
    check_refusals(told.answers)
    check_kept(crammed, form_id, told.acknowledged)


def _is_broken(appliance: Running) -> bool:
    """Written past the API, which knows better: until not even a read is answered."""
    with appliance.database() as client:
        database: Any = client.get_default_database("appliance")
        try:
            with contextlib.suppress(PyMongoError):
                database.junk.insert_many([{"junk": os.urandom(4000)} for _ in range(200)])
            database.forms.find_one()
        except PyMongoError:
            return True
    return False
