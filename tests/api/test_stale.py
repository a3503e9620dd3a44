"""Four API processes: nobody reads what is older than the last acknowledged write, or was taken from them.

The supervisor starts as many as there are CPUs; the rest is started here, by the same command.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.runtime import programs
from tests.api.accounts import token_of
from tests.api.forms import publish, submit
from tests.people import People
from tests.running import Running
from tests.runtime.servers import answers, program, until

SECONDS = 12
PROCESSES = 4
FORMS = 3


@pytest.fixture(scope="module")
def sockets(appliance: Running) -> Iterator[list[Path]]:
    """Of four API processes; nginx does not know of those beyond its own."""
    numbers = range(programs.api_count(appliance.settings) + 1, PROCESSES + 1)
    with ExitStack() as stack:
        for number in numbers:
            command = [sys.executable, "-P", "-m", "appliance", "launch", f"api-{number}"]
            environ = {**appliance.environ, "PATH": os.environ["PATH"]}
            stack.enter_context(program(command, environ))
        paths = [appliance.paths.api_socket(number) for number in range(1, PROCESSES + 1)]
        for path in paths:
            until(lambda path=path: answers(path), 30, str(path))  # type: ignore[misc]
        yield paths
    for number in numbers:  # what was started by hand is none of the appliance's programs
        (appliance.paths.pids / f"api-{number}.json").unlink(missing_ok=True)


class Door:
    """Each request goes to an API process drawn by chance, over a connection of this thread's own."""

    def __init__(self, sockets: list[Path], client: httpx.Client, seed: int) -> None:
        headers = {"authorization": f"Bearer {token_of(client)}"}
        self._random = random.Random(seed)
        self._clients = [
            httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), headers=headers, base_url="http://api")
            for path in sockets
        ]

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        time.sleep(self._random.uniform(0, 0.005))
        return self._random.choice(self._clients).request(method, path, timeout=30, **more)

    def close(self) -> None:
        for client in self._clients:
            client.close()


class Race:
    """Runs what it is given over and over in threads, until the time is up or something was wrong."""

    def __init__(self, sockets: list[Path]) -> None:
        self._sockets = sockets
        self._threads: list[threading.Thread] = []
        self._deadline = time.monotonic() + SECONDS
        self.wrong: list[str] = []
        self.done: dict[str, int] = {}

    def run(self, name: str, client: httpx.Client, turn: Callable[[Door], str | None]) -> None:
        """`turn` gives what was wrong, or None."""

        def loop() -> None:
            door = Door(self._sockets, client, len(self._threads))
            try:
                while time.monotonic() < self._deadline and not self.wrong:
                    if (wrong := turn(door)) is not None:
                        self.wrong.append(wrong)
                    self.done[name] = self.done.get(name, 0) + 1
            except Exception as fault:
                self.wrong.append(f"{name}: {fault!r}")
            finally:
                door.close()

        self._threads.append(threading.Thread(target=loop, name=name))
        self._threads[-1].start()

    def end(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.wrong == []


class Ledger:
    """What was acknowledged, by form: the number in its title, and in its newest response."""

    def __init__(self, forms: list[str]) -> None:
        self.titles, self.answers = dict.fromkeys(forms, 0), dict.fromkeys(forms, 0)
        self._numbers = count(1)
        self.busy = 0

    def write(self, form_id: str, door: Door) -> None:
        number = next(self._numbers)
        answer = door("PATCH", f"/api/v1/forms/{form_id}", json={"title": f"Title {number}"})
        if self._is_acknowledged(answer):
            self.titles[form_id] = number

    def answer(self, form_id: str, door: Door) -> None:
        number = next(self._numbers)
        body = {"data": {"name": f"Ada {number}"}}
        answer = door("POST", f"/api/v1/forms/{form_id}/responses", json=body)
        if self._is_acknowledged(answer):
            self.answers[form_id] = number

    def _is_acknowledged(self, answer: httpx.Response) -> bool:
        """A loaded machine may say 503 within its deadline: then the write may have happened or not."""
        self.busy += answer.status_code == 503
        assert answer.status_code in (200, 201, 503), answer.text
        return answer.status_code != 503

    def read(self, form_id: str, door: Door) -> str | None:
        floor = self.titles[form_id]
        seen = door("GET", f"/api/v1/forms/{form_id}").json()["title"].rpartition(" ")[2]
        return f"read title {seen} after {floor}" if floor and int(seen) < floor else None

    def list(self, form_id: str, door: Door) -> str | None:
        floor = self.answers[form_id]
        rows = door("GET", f"/api/v1/forms/{form_id}/responses").json()["responses"]
        seen = int(rows[0]["data"]["name"].rpartition(" ")[2]) if rows else 0
        return f"listed response {seen} after {floor}" if seen < floor else None


def test_no_reader_sees_less_than_was_acknowledged(cast: People, sockets: list[Path]) -> None:
    forms = [publish(cast.alice) for _ in range(FORMS)]
    ledger, race = Ledger(forms), Race(sockets)
    for form_id in forms:
        for turn in (ledger.write, ledger.answer, ledger.read, ledger.read, ledger.list):
            race.run(turn.__name__, cast.alice, partial(turn, form_id))
    race.end()
    assert ledger.busy <= 3
    assert min(race.done[name] for name in ("write", "answer", "read", "list")) > 20, race.done


def test_who_lost_a_share_reads_nothing_more(cast: People, sockets: list[Path]) -> None:
    form_id = publish(cast.alice)
    submit(cast.alice, form_id)
    path = f"/api/v1/forms/{form_id}"
    known: list[tuple[int, bool | None]] = [(0, False)]
    race = Race(sockets)

    def give_and_take(door: Door) -> None:
        """What holds is not known (None) from before a change until it is acknowledged."""
        turn, shared = known[0]
        known[0] = (turn + 1, None)
        shares = [] if shared else [{"username": "bob", "level": "view"}]
        answer = door("PUT", f"{path}/shares", json={"shares": shares})
        assert answer.status_code == 200, answer.text
        known[0] = (turn + 2, not shared)
        time.sleep(0.03)

    def read(door: Door) -> str | None:
        before = known[0]
        read = random.choice([path, f"{path}/responses"])
        status = door("GET", read).status_code
        if before != known[0] or before[1] is None:
            return None  # it changed meanwhile: either answer is right
        expected = 200 if before[1] else 404
        return None if status == expected else f"{read} answered {status} instead of {expected}"

    race.run("share", cast.alice, give_and_take)
    for _ in range(4):
        race.run("read", cast.bob, read)
    race.end()
    assert race.done["share"] > 20, race.done
