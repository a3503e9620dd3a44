"""Whose answer is it?"""

from __future__ import annotations

import os
import sys

import pytest

from appliance import processes
from appliance.addresses import Paths
from appliance.runtime.guardian.rounds import Answer, Rounds
from appliance.settings import Settings
from tests.runtime.servers import program, until


@pytest.fixture
def rounds(chosen: Settings) -> Rounds:
    return Rounds(chosen)


def asked(rounds: Rounds, pid: int, now: float) -> Answer:
    rounds.ask("worker-high", pid, now)
    until(lambda: rounds.is_answered, what="an answer")
    (answer,) = rounds.answers()
    return answer


def test_the_last_beat_of_one_process_is_no_answer_of_the_next(rounds: Rounds, paths: Paths) -> None:
    """Else a program that takes a minute to come up after a reload looked like one that answered and hung."""
    beat, first = paths.beat("worker-high"), os.getpid()
    processes.beat(beat)
    assert asked(rounds, first, 0).answers is None
    processes.beat(beat)
    assert asked(rounds, first, 10).answers is True
    processes.beat(beat)
    with program([sys.executable, "-c", "input()"]) as second:
        answers = [asked(rounds, second.pid, 20 + 10 * turn).answers for turn in range(2)]
        processes.beat(beat)
        answers.append(asked(rounds, second.pid, 40).answers)
    assert answers == [None, False, True]
