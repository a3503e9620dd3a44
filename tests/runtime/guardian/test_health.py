"""When a program hangs, and when it only looks like it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from appliance.runtime.guardian.health import EVERY, FAILURES, GRACE, TIMEOUT, Care, Health
from appliance.runtime.guardian.probes import CARES

Look = tuple[int, bool | None, bool]
FAILS: Look = (7, False, True)
SERVES: Look = (7, True, True)
MONGO = CARES["mongo"]
FOUND = EVERY * (FAILURES - 1)
"""Seconds from the first failure to the last one that it takes."""
GRACED = round(GRACE / EVERY)
"""Probes within the grace."""


def ended_at(looks: Iterable[Look], care: Care = MONGO, every: float = EVERY) -> list[float]:
    """Seconds from the first look at which the process would be ended."""
    health = Health(care)
    return [
        number * every
        for number, (pid, answers, room) in enumerate(looks)
        if health.judge(number * every, pid, answers, room=room)
    ]


def test_a_database_that_fails_for_long_is_ended_and_given_longer_each_time() -> None:
    times = ended_at([FAILS] * 1500)
    assert times[0] == FOUND
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert pauses[:3] == [60.0, 120.0, 240.0]
    assert max(pauses) == pauses[-1] == MONGO.longest_pause == 3600.0


def test_it_takes_about_half_a_minute_of_silence() -> None:
    assert 20 <= FOUND <= EVERY * FAILURES + TIMEOUT <= 40


@pytest.mark.parametrize(
    "looks",
    [
        [SERVES] * 100,
        [*[FAILS] * (FAILURES - 1), SERVES, *[FAILS] * (FAILURES - 1)],
        [(7, None, True)] * 100,
        [*[FAILS] * (FAILURES - 1), (7, None, True), *[FAILS] * (FAILURES - 1)],
        [(pid, False, True) for pid in (7, 8) for _ in range(FAILURES - 1)],
        [(7, False, False)] * 100,
    ],
    ids=["serves", "silent for a while", "nobody knows", "known in between", "started again", "full"],
)
def test_any_other_is_left_alone(looks: list[Look]) -> None:
    assert ended_at(looks) == []


def test_one_that_served_in_between_is_not_given_longer() -> None:
    times = ended_at([*[FAILS] * 4, SERVES, *[FAILS] * 12])
    assert times == [20.0, 80.0, 140.0]


def test_as_soon_as_there_is_room() -> None:
    assert ended_at([(7, False, False)] * 50 + [FAILS]) == [500.0]


def test_time_that_nobody_looked_at_does_not_count() -> None:
    health = Health(MONGO)
    for second in (0, 10, 3600, 3610):
        assert not health.judge(second, 7, False)
    assert health.judge(3620, 7, False)


def test_a_program_has_a_grace_until_its_first_answer_and_none_later() -> None:
    assert ended_at([FAILS] * (GRACED + 2), Care()) == [GRACE]
    assert ended_at([SERVES, *[FAILS] * 3], Care()) == [30.0]
    another: list[Look] = [(8, False, True)] * GRACED
    assert ended_at([*[FAILS] * (GRACED - 1), SERVES, *another], Care()) == []


def test_grace_begins_when_it_has_what_it_waited_for() -> None:
    waits: list[Look] = [(7, None, True)] * 360  # an hour in `launch`
    assert ended_at([*waits, *[FAILS] * (GRACED - 1)], Care()) == []
    assert ended_at([*waits, *[FAILS] * GRACED], Care()) == [3590.0 + GRACE]


def test_only_answers_make_it_healthy() -> None:
    health, seconds = Health(Care()), []
    for number, answers in enumerate([None] * 9 + [True] * 7 + [False] + [True] * 2):
        health.judge(number * EVERY, 7, answers)
        seconds.append(health.healthy_seconds(number * EVERY))
    assert seconds == [0.0] * 10 + [10.0, 20.0, 30.0, 40.0, 50.0, 60.0] + [0.0, 0.0, 10.0]
