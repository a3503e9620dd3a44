"""Search by meaning when its file is damaged, or who answers hangs: it heals, and does not lie."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest

from appliance import processes
from appliance.services import vector_place
from tests import models, own
from tests.api.analyses import publish
from tests.api.test_search import ABOUT, answer, count, ids, search, until_embedded
from tests.faults.steering import until_whole
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

RECORD = 1664


appliance, cast = own.appliance, own.cast
"""One of their own: where a file of vectors is begun anew, all responses there are embedded again."""


@pytest.fixture(autouse=True)
def _at_work(appliance: Running) -> None:
    models.until_at_work(appliance)


def file_of(appliance: Running) -> Path:
    place = vector_place.find(appliance.settings)
    assert place is not None
    return place.path


def flip(file: Path, response_id: str) -> None:
    raw = file.read_bytes()
    with file.open("r+b") as opened:
        opened.seek(raw.index(response_id.encode()) // RECORD * RECORD + 200)
        opened.write(b"\xff\x01\xff")


def damage(appliance: Running, kind: str, older: Path, made: list[str]) -> None:
    file = file_of(appliance)
    if kind == "half":
        os.truncate(file, file.stat().st_size // 2)
    elif kind == "empty":
        os.truncate(file, 0)
    elif kind == "older":
        older.replace(file)
    elif kind == "folder":
        file.unlink()
        file.mkdir()
    elif kind == "scribbled":
        at = file.read_bytes().index(made[0].encode())
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(b"\xff" * 24)  # no id, in what the searcher has mapped
    else:  # nothing looks at what has been read before: seen when it is opened
        flip(file, made[0] if kind == "first" else made[-1])
        for program in ("worker-high", "worker-ai"):
            appliance.signal(program, signal.SIGKILL)


@pytest.mark.parametrize("kind", ["half", "empty", "older", "folder", "scribbled", "first", "last"])
def test_a_damaged_file_is_made_again(appliance: Running, cast: People, tmp_path: Path, kind: str) -> None:
    form_id = publish(cast.alice)
    made = [answer(cast.alice, form_id, words) for words in ABOUT.values()]
    until_embedded(cast.alice, form_id)
    older = file_of(appliance).with_name("older")
    shutil.copy2(file_of(appliance), older)
    made += [answer(cast.alice, form_id, f"They closed {n} hours early.") for n in range(3)]
    until_embedded(cast.alice, form_id)
    until(lambda: search(cast.alice, form_id, "a long wait", limit=100)["complete"], 60, "complete")
    damage(appliance, kind, older, made)
    older.unlink(missing_ok=True)

    def is_healed() -> bool:
        given = cast.alice.get(f"/api/v1/forms/{form_id}/search", params={"q": "a long wait", "limit": 100})
        assert given.status_code in (200, 503), given.text
        if given.status_code == 503 or not given.json()["complete"]:
            return False
        assert set(ids(given.json())) == set(made), "what says that it is complete has all"
        return True

    until(is_healed, 120, "all is found again")
    assert count(appliance, form_id) == len(made)
    assert file_of(appliance).is_file()
    for aside in file_of(appliance).parent.glob("*.aside-*"):
        aside.rmdir()
    until_whole(appliance)


def searcher_of(appliance: Running) -> int | None:
    """The process that maps the vectors."""
    name = file_of(appliance).name
    for pid in processes.children(appliance.pid("worker-high")):
        if name in Path(f"/proc/{pid}/maps").read_text():
            return pid
    return None


def finds(client: httpx.Client, form_id: str, response_id: str) -> bool:
    given = client.get(f"/api/v1/forms/{form_id}/search", params={"q": "a long wait", "limit": 1})
    assert given.status_code in (200, 503), given.text
    return given.status_code == 200 and ids(given.json()) == [response_id]


def test_a_searcher_that_hangs_is_replaced(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    only = answer(cast.alice, form_id, ABOUT["queue"])
    until_embedded(cast.alice, form_id)
    hung = searcher_of(appliance)
    assert hung is not None
    parent = appliance.pid("worker-high")
    os.kill(hung, signal.SIGSTOP)
    assert not finds(cast.alice, form_id, only), "it does not answer"
    until(lambda: finds(cast.alice, form_id, only), 60, "another one answers")
    assert searcher_of(appliance) not in (None, hung)
    assert appliance.pid("worker-high") == parent


def test_a_searcher_ends_with_its_pool(appliance: Running, cast: People) -> None:
    """Its parent waits for it: on SIGINT to the parent alone, all of them end, and others come."""
    form_id = publish(cast.alice)
    only = answer(cast.alice, form_id, ABOUT["queue"])
    until_embedded(cast.alice, form_id)
    parent = appliance.pid("worker-high")
    pool = {parent, *processes.children(parent)}
    assert searcher_of(appliance) in pool
    os.kill(parent, signal.SIGINT)
    until(lambda: not any(processes.find_stat(pid) for pid in pool), 5, "all have ended")
    until(lambda: finds(cast.alice, form_id, only), 60, "others answer")
