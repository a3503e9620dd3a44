"""The restart policy, with time and supervisord as the test says."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from appliance.courses import Course, Phase
from appliance.runtime.guardian import policy
from appliance.runtime.guardian.policy import ATTEMPTS, HEALTHY_SECONDS, LONGEST_WAIT, Deed, Seen, wait

WAITS = [0, 10, 20, 40, 80, 160, 300, 300, 300, 300]


def test_the_waits_are_those_of_the_flows() -> None:
    assert [wait(attempt) for attempt in range(1, ATTEMPTS + 1)] == WAITS
    assert (ATTEMPTS, HEALTHY_SECONDS, LONGEST_WAIT) == (10, 60.0, 300.0)


def fallen(lives: int) -> tuple[Course, float, list[float]]:
    """A program that ends at once whenever it is started: its course, the time, and when it was started."""
    course, now = Course(), 1000.0
    started: list[float] = []
    policy.look(course, Seen("RUNNING", 1, 1), now)
    for life in range(1, lives + 1):
        while policy.look(course, Seen("EXITED", 0, life, "exit status 1"), now) != Deed.START:
            if course.phase == Phase.DOWN:
                return course, now, started
            now += 1.0
        started.append(now)
        policy.begun(course)
    return course, now, started


def test_one_that_always_ends_is_started_ten_times_and_then_told_of() -> None:
    course, _, started = fallen(50)
    assert [after - before for before, after in zip([1000.0, *started], started, strict=False)] == WAITS
    assert (course.phase, course.attempts, course.why) == (Phase.DOWN, 10, "exit status 1")


def test_it_is_told_of_until_that_is_done_and_stays_down() -> None:
    course, now, _ = fallen(50)
    seen = Seen("EXITED", 0, 11)
    assert [policy.look(course, seen, now + more) for more in (0, 5)] == [Deed.TELL, Deed.TELL]
    course.told = True
    assert {policy.look(course, seen, now + more) for more in range(0, 100_000, 500)} == {None}


@pytest.mark.parametrize("seen", [Seen("RUNNING", 99, 12), Seen("STARTING", 99, 12), Seen("FATAL", 0, 12)])
def test_a_start_by_hand_begins_afresh_whatever_came_of_it(seen: Seen) -> None:
    course, now, _ = fallen(50)
    deed = policy.look(course, seen, now)
    assert course.attempts == (seen.state == "FATAL")
    assert deed == (Deed.START if seen.state == "FATAL" else None)


@pytest.mark.parametrize(
    "looks",
    [[Seen("RUNNING", 2, 2)],
     [Seen("STOPPED", 0, 1), Seen("RUNNING", 2, 2)],
     [Seen("EXITED", 0, 1), Seen("RUNNING", 2, 2)]],
    ids=["unseen", "by hand", "ended"],
)  # fmt: skip
def test_what_one_process_answered_says_nothing_of_the_next(looks: list[Seen]) -> None:
    """Else another guardian, which knows what is on disk, gives one that comes up slowly no time."""
    course = Course()
    policy.look(course, Seen("RUNNING", 1, 1), 1000.0)
    course.has_answered = True
    for seen in looks:
        policy.look(course, seen, 1001.0)
    assert (course.pid, course.has_answered) == (2, False)


def test_sixty_healthy_seconds_make_the_next_end_a_first_one() -> None:
    course, now, _ = fallen(4)
    policy.look(course, Seen("RUNNING", 5, 5), now)
    policy.forgive(course)
    assert policy.look(course, Seen("EXITED", 0, 5), now) == Deed.START
    assert (course.attempts, course.restarts) == (1, 4)


def test_one_that_is_stopped_by_hand_is_left() -> None:
    course, now, _ = fallen(3)
    assert policy.look(course, Seen("STOPPED", 0, 3), now) is None
    assert policy.look(course, Seen("STOPPED", 0, 3), now + 1e6) is None
    assert (course.phase, course.attempts, course.why) == (Phase.UP, 0, "")


def test_one_that_is_stopped_while_it_waits_is_left_until_it_is_started() -> None:
    course, now, _ = fallen(3)
    assert policy.look(course, Seen("EXITED", 0, 4), now) is None
    policy.leave(course, Seen("EXITED", 0, 4), now)
    assert policy.look(course, Seen("EXITED", 0, 4), now + 1e6) is None
    policy.look(course, Seen("RUNNING", 9, 9), now + 1e6)
    assert (course.phase, course.attempts) == (Phase.UP, 0)


def test_a_start_that_supervisord_refuses_is_an_attempt() -> None:
    course, now, deeds = Course(), 0.0, 0
    while course.phase != Phase.DOWN:
        if policy.look(course, Seen("FATAL", 0, 1), now) == Deed.START:
            deeds += 1
            policy.refused(course, "no such file", now)
        now += 1
    assert (deeds, course.why) == (ATTEMPTS, "no such file")


def test_why_it_was_ended_is_told_once() -> None:
    course = Course()
    policy.look(course, Seen("RUNNING", 1, 1), 0)
    course.verdict = "did not answer"
    policy.look(course, Seen("EXITED", 0, 1, "killed by a signal"), 0)
    assert course.why == "did not answer"
    policy.begun(course)
    policy.look(course, Seen("EXITED", 0, 2, "exit status 3"), 0)
    assert course.why == "exit status 3"


class World(RuleBasedStateMachine):
    """One program below a supervisord, an operator, and guardians that may die at any step."""

    @initialize()
    def begin(self) -> None:
        self.now, self.state, self.pid, self.started = 0.0, "RUNNING", 1, 1
        self.ended_at = 0.0
        self.course = Course()
        self.disk = msgspec.json.encode(self.course)
        self.starts: list[
            float
        ] = []  # by a guardian, since somebody stopped or started it, or it was healthy
        self.is_left = False

    def spawn(self, state: str) -> None:
        self.pid, self.started, self.state = self.pid + 1, self.started + 1, state
        if state not in ("STARTING", "RUNNING"):
            self.ended_at = self.now

    def seen(self) -> Seen:
        return Seen(self.state, self.pid if self.state in ("STARTING", "RUNNING") else 0, self.started)

    def look(self) -> Deed | None:
        deed = policy.look(self.course, self.seen(), self.now)
        self.disk = msgspec.json.encode(self.course)
        return deed

    @rule(
        died=st.sampled_from(["no", "before the start", "after the start"]),
        state=st.sampled_from(["RUNNING", "FATAL"]),
    )
    def guardian_looks(self, died: str, state: str) -> None:
        deed = self.look()
        if deed == Deed.START and died != "before the start":
            assert self.state in ("EXITED", "FATAL")
            assert not self.is_left
            assert self.now - self.ended_at >= wait(len(self.starts) + 1)
            self.starts.append(self.now)
            self.spawn(state)
            if died == "no":
                policy.begun(self.course)
                self.disk = msgspec.json.encode(self.course)
        elif deed == Deed.TELL:
            assert len(self.starts) >= ATTEMPTS, "never given up before its time"
            self.course.told = True
            self.disk = msgspec.json.encode(self.course)
        if died != "no":
            self.course = msgspec.json.decode(self.disk, type=Course)

    @precondition(lambda self: self.state == "RUNNING")
    @rule(state=st.sampled_from(["EXITED", "FATAL"]))
    def it_ends(self, state: str) -> None:
        self.look()
        self.state, self.ended_at = state, self.now

    @precondition(lambda self: self.state == "RUNNING")
    @rule(lives=st.integers(1, 12), dies=st.sampled_from([0, 0, 3, 7]))
    def it_ends_whenever_it_is_started(self, lives: int, dies: int) -> None:
        """Looked at every second, by guardians of which each `dies`th dies before it could start anything."""
        self.it_ends("EXITED")
        for look in range(1, 2000):
            self.now += 1
            self.guardian_looks("before the start" if dies and look % dies == 0 else "no", "RUNNING")
            if self.state == "RUNNING":
                lives -= 1
                if lives == 0:
                    return
                self.it_ends("FATAL")

    @precondition(lambda self: self.state == "RUNNING")
    @rule()
    def it_was_healthy_for_long(self) -> None:
        self.look()
        self.now += HEALTHY_SECONDS
        policy.forgive(self.course)
        self.disk = msgspec.json.encode(self.course)
        self.starts = []

    @rule(seconds=st.sampled_from([1, 9, 10, 25, 100, 300]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    def look_after_a_start(self) -> None:
        """It comes within a second; nobody stops or starts anything by hand in between."""
        if self.course.phase == Phase.UP and self.course.started == 0:
            self.look()

    @rule()
    def operator_stops_it(self) -> None:
        self.look_after_a_start()
        if self.state == "RUNNING":
            self.state = "STOPPED"
        elif self.state in ("EXITED", "FATAL"):
            policy.leave(self.course, self.seen(), self.now)
            self.disk = msgspec.json.encode(self.course)
        self.is_left, self.starts = True, []

    @precondition(lambda self: self.state != "RUNNING" and self.course.phase != Phase.STARTING)
    @rule()
    def operator_starts_it(self) -> None:
        self.look_after_a_start()
        self.spawn("RUNNING")
        self.is_left, self.starts = False, []

    @invariant()
    def never_more_than_the_policy_allows(self) -> None:
        if hasattr(self, "starts"):
            assert len(self.starts) <= ATTEMPTS


def test_a_life_that_no_guardian_saw_is_left_too() -> None:
    """It asked for a start and died; what was started ended at once, and the operator stopped it."""
    course = Course(phase=Phase.STARTING, started=1, attempts=1)
    ended = Seen("FATAL", 0, 2)
    policy.leave(course, ended, 0.0)
    assert policy.look(course, ended, 1000.0) is None and course.phase == Phase.LEFT


World.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWorld = World.TestCase
