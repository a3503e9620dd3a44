"""How long until all that was acknowledged is done, after Redis was away or emptied under load.

Responses with a task each (an e-mail) come in all the while. `scripts/faults redis` runs it.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import httpx

from tests import people
from tests.api.forms import publish
from tests.faults.steering import RELAY_SECONDS, open_redis, stopped
from tests.mailbox import mailbox
from tests.running import Running, running
from tests.runtime.servers import until

WATCHERS = ["watcher@example.org"]
_PATIENCE = 600.0


class Summary(NamedTuple):
    acknowledged: int
    waited: int
    """Acknowledged before Redis was whole again."""
    done_seconds: float
    """From then until the last of these had its e-mail."""


class Load:
    """Submits `rate` responses a second, and knows which were acknowledged."""

    def __init__(self, client: httpx.Client, form_id: str, rate: float) -> None:
        self._client, self._path, self._rate = client, f"/api/v1/forms/{form_id}/responses", rate
        self.acknowledged: list[str] = []

    @contextmanager
    def running(self, threads: int = 4) -> Iterator[None]:
        stop = threading.Event()
        workers = [
            threading.Thread(target=self._submit, args=(stop, threads / self._rate)) for _ in range(threads)
        ]
        for each in workers:
            each.start()
        try:
            yield
        finally:
            stop.set()
            for each in workers:
                each.join()

    def _submit(self, stop: threading.Event, every: float) -> None:
        while not stop.wait(every):
            answer = self._client.post(self._path, json={"data": {"name": "load"}})
            if answer.status_code == 201:
                self.acknowledged.append(answer.json()["response_id"])


def away(appliance: Running, seconds: float) -> None:
    with stopped(appliance, "redis"):
        time.sleep(seconds)


def flushed(appliance: Running, seconds: float) -> None:
    """Six times in so many seconds."""
    with open_redis(appliance) as client:
        for _ in range(6):
            time.sleep(seconds / 6)
            client.flushall()


def measure(lose: Callable[[Running, float], None], seconds: float, rate: float) -> Summary:
    """Start all, lose Redis under load, and wait for the e-mail about every acknowledged response.

    Raises AssertionError when some of it never comes.
    """
    with ExitStack() as stack:
        box = stack.enter_context(mailbox())
        appliance = stack.enter_context(running(SMTP_URL=box.url))
        cast = people.gather(appliance)
        stack.callback(cast.close)
        form_id = publish(cast.alice, public=True, notify=WATCHERS)
        load = Load(cast.nobody, form_id, rate)
        with load.running():
            lose(appliance, seconds)
            began, before = time.monotonic(), set(load.acknowledged)
            until(lambda: before <= set(box.told(form_id)), _PATIENCE, "all that waited is done")
            took = time.monotonic() - began
        wanted = set(load.acknowledged)
        until(lambda: wanted <= set(box.told(form_id)), _PATIENCE, "all is done")
        return Summary(len(wanted), len(before), round(took, 1))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/faults redis", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("kind", choices=["away", "flushed"])
    parser.add_argument("--seconds", type=float, default=60.0, help="of the outage, or of the six FLUSHALLs")
    parser.add_argument("--rate", type=float, default=20.0, help="responses a second")
    asked = parser.parse_args()
    summary = measure(away if asked.kind == "away" else flushed, asked.seconds, asked.rate)
    for name, value in summary._asdict().items():
        print(f"{name.replace('_', ' '):14} {value}")
    print(f"{'aim':14} done within {RELAY_SECONDS:g} s")
    return 0 if summary.done_seconds <= RELAY_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
