"""How each alert that the appliance raises itself is brought about and ended; `test_own_alerts` does both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from appliance.addresses import Paths
from appliance.backups import book
from appliance.backups.book import Kind
from appliance.clock import utc_now
from appliance.courses import Book, Course, Phase
from appliance.runtime.guardian import raising
from tests.api.tasks import fail_for_good, waiting
from tests.ops.command import appliance_command
from tests.people import People
from tests.running import Running


class Made(NamedTuple):
    """The alert that is so now: what tells it from others, and a word of what it says."""

    labels: dict[str, str]
    word: str


Make = Callable[[Running, People], AbstractContextManager[Made]]


@contextmanager
def dead_letter(appliance: Running, cast: People) -> Iterator[Made]:
    _, _, task_id = waiting(cast.alice)
    fail_for_good(appliance, cast.alice, task_id)
    yield Made({"task_id": task_id, "task": "notify_watchers", "queue": "default"}, "failed for good")
    assert cast.alice.delete(f"/api/v1/dead-letters/{task_id}").status_code == 204


@contextmanager
def program_given_up(appliance: Running, cast: People) -> Iterator[Made]:
    """The guardian's own part, with a program that nobody has; how it gives one up, its own tests show."""
    name, given = "worker-nobody", Book()
    given.courses[name] = Course(Phase.DOWN, attempts=10, started=1_700_000_000, why="exit status 1")
    raiser = raising.Raiser(appliance.settings)
    raiser.turn(0.0, given)
    raiser.wait()
    yield Made({"name": name}, "exit status 1")
    given.courses[name].phase = Phase.UP
    raiser.turn(1.0, given)
    raiser.wait()


def failing(kind: Kind) -> Make:
    @contextmanager
    def make(appliance: Running, cast: People) -> Iterator[Made]:
        """As the child notes that it failed."""
        backups = Paths(appliance.settings.data).backups
        backups.mkdir(mode=0o700, exist_ok=True)
        before = getattr(book.read(backups), kind)
        with book.changing(backups) as noted:
            noted.course(kind).fail(utc_now(), "the disk is away")
        try:
            yield Made({}, "the disk is away")
        finally:
            with book.changing(backups) as noted:
                setattr(noted, kind, before)

    return make


@contextmanager
def tested(appliance: Running, cast: People) -> Iterator[Made]:
    words = ("alerts", "test", "--severity", "info", "--json")
    ended = appliance_command(*words, data=appliance.paths.data, **appliance.environ)
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["channels"][0]["outcome"] == "delivered", told
    yield Made({}, "nothing is wrong")


MADE: dict[str, Make] = {
    "DeadLetter": dead_letter,
    "ProgramGivenUp": program_given_up,
    "BackupUnmade": failing("backup"),
    "DrillUnproven": failing("drill"),
    "Test": tested,
}
