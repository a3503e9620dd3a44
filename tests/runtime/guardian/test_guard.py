"""The guardian below a real supervisord, with small programs and with time as the test says."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from appliance import courses
from appliance.addresses import GUARDIAN, Paths
from appliance.courses import Course, Phase
from appliance.disk import RESERVE_BYTES
from appliance.runtime import supervisor_socket
from appliance.runtime.guardian import guard
from appliance.runtime.guardian.guard import ALARM_SECONDS, OUT_OF_MEMORY, TURN_SECONDS, Guard
from appliance.runtime.guardian.health import EVERY, FAILURES, GRACE
from appliance.runtime.guardian.policy import ATTEMPTS, Seen
from appliance.runtime.guardian.supervision import FAULTS, Supervision
from appliance.runtime.guardian.watch import Watch
from appliance.settings import HOME, Settings
from tests.runtime.guardian.test_probes import says, server
from tests.runtime.servers import program, until

CONFIG = """
[supervisord]
nodaemon=true
silent=true
pidfile={run}/supervisord.pid
logfile={run}/supervisord.log
childlogdir={run}
[unix_http_server]
file={run}/supervisor.sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:lasting]
command=sleep 600
autorestart=false
startretries=0
startsecs=0
[program:ending]
command=sh -c "exit 3"
autorestart=false
startretries=0
startsecs=0
exitcodes=0
"""
LISTENER = """
[eventlistener:guardian]
command="{python}" -P -m appliance.runtime.guardian
events=PROCESS_STATE,REMOTE_COMMUNICATION,TICK_5
buffer_size=10
autorestart=true
startretries=1000
stderr_logfile={run}/guardian.log
stdout_logfile=NONE
"""


@contextmanager
def supervised(paths: Paths, environ: dict[str, str], config: str = CONFIG) -> Iterator[Supervision]:
    path = paths.run / "supervisord.conf"
    path.write_text(config.format(run=paths.run, python=sys.executable))
    command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(path)]
    with program(command, {**environ, "PYTHONPATH": str(HOME)}):
        asked = Supervision(paths)
        until(lambda: answers(asked), what="supervisord")
        yield asked


def answers(asked: Supervision) -> bool:
    try:
        return all(row.seen.started for row in asked.rows().values())
    except FAULTS:
        return False


@pytest.fixture
def asked(paths: Paths, environ: dict[str, str]) -> Iterator[Supervision]:
    with supervised(paths, environ) as made:
        yield made


def pid(asked: Supervision, name: str) -> int:
    return asked.rows()[name].seen.pid


def kill(asked: Supervision, name: str, number: signal.Signals = signal.SIGKILL) -> None:
    before = pid(asked, name)
    os.kill(before, number)
    if number == signal.SIGKILL:
        until(lambda: pid(asked, name) != before, what=f"{name} has ended")


def until_ended(asked: Supervision, name: str) -> None:
    until(lambda: asked.rows()[name].seen.state in ("EXITED", "FATAL"), what=f"{name} has ended")


def uncounted(_: str) -> int | None:
    return None


def course_of(paths: Paths, name: str) -> Course:
    return courses.read(paths).course(name)


def test_one_that_is_killed_is_started_at_once_and_then_ten_seconds_later(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    made = Guard(chosen, uncounted)
    made.look(0)
    kill(asked, "lasting")
    made.look(1)
    assert asked.rows()["lasting"].seen.state == "RUNNING"
    made.look(2)
    kill(asked, "lasting")
    for now, state in ((3.0, "EXITED"), (12.9, "EXITED"), (13.0, "RUNNING")):
        made.look(now)
        assert asked.rows()["lasting"].seen.state == state
    assert course_of(paths, "lasting").restarts == 2


def test_one_that_always_ends_is_given_up_and_told_of_once(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    """Each look is another guardian's, as if it were killed after each."""
    look_until_down(asked, chosen, paths)
    Guard(chosen, uncounted).look(1e6)
    course = course_of(paths, "ending")
    assert (course.restarts, course.attempts, course.why) == (ATTEMPTS, ATTEMPTS, "exit status 3")
    log = (paths.run / "supervisord.log").read_text()
    assert log.count("spawned: 'ending'") == 1 + ATTEMPTS
    (alert,) = [json.loads(path.read_text()) for path in paths.alerts.iterdir()]
    assert alert["data"] == {
        "alert": "program_down", "program": "ending", "attempts": ATTEMPTS, "error": "exit status 3",
    }  # fmt: skip
    assert alert["id"] == f"program-down:ending:{course.started}"


def look_until_down(asked: Supervision, chosen: Settings, paths: Paths) -> None:
    now = 0.0
    while course_of(paths, "ending").phase != Phase.DOWN:
        until_ended(asked, "ending")
        Guard(chosen, uncounted).look(now)
        now += 300


def test_an_alert_that_could_not_be_kept_is_tried_again(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    paths.alerts.rmdir()
    look_until_down(asked, chosen, paths)
    assert not course_of(paths, "ending").told
    paths.alerts.mkdir()
    Guard(chosen, uncounted).look(10_000)
    assert course_of(paths, "ending").told
    assert len(list(paths.alerts.iterdir())) == 1


def test_a_start_by_hand_begins_afresh_and_a_stop_by_hand_is_kept(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    for now in range(0, 1500, 300):
        until_ended(asked, "ending")
        Guard(chosen, uncounted).look(now)
    assert (course_of(paths, "ending").attempts, course_of(paths, "ending").phase) == (3, Phase.UP)
    until_ended(asked, "ending")
    Guard(chosen, uncounted).look(1500)
    assert course_of(paths, "ending").phase == Phase.WAITING
    until(lambda: time.time() > asked.rows()["ending"].seen.started + 1, what="its starts are told apart")
    asked.start("ending")
    until_ended(asked, "ending")
    Guard(chosen, uncounted).look(1501)
    assert course_of(paths, "ending").attempts == 1

    with supervisor_socket.connect(paths) as proxy:
        proxy.supervisor.stopProcess("lasting")
    Guard(chosen, uncounted).look(1e6)
    assert asked.rows()["lasting"].seen.state == "STOPPED"


def test_a_kill_for_want_of_memory_is_told_as_that(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    kills = {"lasting": 4, "ending": 0}
    made = Guard(chosen, kills.get)
    made.look(0)
    kill(asked, "lasting")
    kills["lasting"] = 5
    made = Guard(chosen, kills.get)  # what was counted is on disk
    made.look(1)
    assert course_of(paths, "lasting").why == OUT_OF_MEMORY
    made.look(2)
    kill(asked, "lasting")
    made.look(3)
    assert course_of(paths, "lasting").why == "killed by a signal"


def test_one_that_does_not_answer_is_ended_and_started(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    """The program is one that shows no life at all: it has its grace, then three failures more."""
    made, before, now = Guard(chosen, uncounted), pid(asked, "lasting"), 0.0
    while pid(asked, "lasting") == before:
        assert now < GRACE + EVERY * FAILURES
        turn(made, now)
        now += EVERY
    assert now >= GRACE
    until(lambda: pid(asked, "lasting") != before, what="it has ended")
    turn(made, now)
    assert course_of(paths, "lasting").why == "did not answer"
    assert pid(asked, "lasting")


def test_a_new_guardian_knows_who_has_answered_before(
    asked: Supervision, chosen: Settings, paths: Paths
) -> None:
    turn(Guard(chosen, uncounted), 0.0)
    book, before = courses.read(paths), pid(asked, "lasting")
    book.course("lasting").has_answered = True
    courses.write(paths, courses.encode(book))
    made = Guard(chosen, uncounted)
    for number in range(FAILURES + 1):
        turn(made, 100 + number * EVERY)
    until(lambda: pid(asked, "lasting") != before, what="it has ended, without another grace")


def turn(made: Guard, now: float) -> None:
    """One in which the answers to what was asked have come in."""
    made.turn(now)
    until(lambda: made.is_answered, what="answers")
    made.turn(now)


NGINX = """[program:nginx]
command=sleep 600
autorestart=false
startsecs=0
"""


def test_the_first_answer_of_a_door_is_heard_within_a_turn(
    paths: Paths, environ: dict[str, str], chosen: Settings
) -> None:
    """Else `status` would say of one that serves already that it does not answer."""
    with supervised(paths, environ, CONFIG + NGINX):
        made = Guard(chosen, uncounted)
        turn(made, 0.0)
        assert course_of(paths, "nginx").answers is False
        with server(paths.nginx_socket, says(b"HTTP/1.1 200 OK\r\n\r\n")):
            turn(made, TURN_SECONDS)
        assert course_of(paths, "nginx").answers
        turn(made, 2 * TURN_SECONDS)
        assert course_of(paths, "nginx").answers, "it is not asked again so soon"


def test_without_room_on_the_disk_nothing_hung_is_ended_and_no_attempt_is_made(
    asked: Supervision, chosen: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [0]
    monkeypatch.setattr(guard, "free_bytes", lambda _: free[0])
    made, before = Guard(chosen, uncounted), pid(asked, "lasting")
    turns = round(GRACE / EVERY) + 18
    for number in range(turns):
        turn(made, number * EVERY)
    assert pid(asked, "lasting") == before
    course = course_of(paths, "ending")
    assert (course.phase, course.attempts) == (Phase.WAITING, 1), "the first, which takes no time to think"
    free[0] = RESERVE_BYTES
    turn(made, turns * EVERY)
    assert course_of(paths, "ending").attempts == 2
    until(lambda: pid(asked, "lasting") != before, what="lasting is ended")


@pytest.fixture
def guarded(paths: Paths, environ: dict[str, str]) -> Iterator[Supervision]:
    with supervised(paths, environ, CONFIG + LISTENER) as made:
        until(lambda: made.rows()["guardian"].seen.state == "RUNNING", what="the guardian")
        yield made


def test_a_flood_of_events_loses_no_restart(guarded: Supervision, paths: Paths) -> None:
    """supervisord keeps ten, and throws away the oldest: the one that tells of the end."""
    kill(guarded, "guardian", signal.SIGSTOP)
    kill(guarded, "lasting")
    for number in range(100):
        guarded.leave(f"nobody-{number}", Seen("EXITED", 0, number))
    assert "buffer overflowed" in (paths.run / "supervisord.log").read_text()
    assert pid(guarded, "lasting") == 0
    kill(guarded, "guardian", signal.SIGCONT)
    until(lambda: pid(guarded, "lasting"), 10, "lasting is started again")
    assert "nobody-1" not in courses.read(paths).courses


def test_what_ended_while_the_guardian_was_dead_is_started_by_the_next(
    guarded: Supervision, paths: Paths
) -> None:
    until(lambda: course_of(paths, "lasting").pid)
    kill(guarded, "guardian", signal.SIGSTOP)
    kill(guarded, "lasting")
    kill(guarded, "guardian")
    until(lambda: pid(guarded, "lasting"), 10, "lasting is started again")
    assert course_of(paths, "lasting").restarts == 1
    assert courses.read(paths).restarts == 1


@pytest.mark.parametrize("then", [signal.SIGCONT, signal.SIGKILL], ids=["stopped", "dead"])
def test_a_stop_by_hand_is_kept_though_no_guardian_looked(
    guarded: Supervision, paths: Paths, then: signal.Signals
) -> None:
    until(lambda: course_of(paths, "lasting").pid)
    kill(guarded, "guardian", signal.SIGSTOP)
    kill(guarded, "lasting")
    until(lambda: guarded.rows()["lasting"].seen.state == "EXITED")
    guarded.leave("lasting", guarded.rows()["lasting"].seen)
    kill(guarded, "guardian", then)
    until(lambda: course_of(paths, "lasting").phase == Phase.LEFT, 10)
    assert guarded.rows()["lasting"].seen.state == "EXITED"
    guarded.start("lasting")
    until(lambda: course_of(paths, "lasting").phase == Phase.UP, 10)
    kill(guarded, "lasting")
    until(lambda: course_of(paths, "lasting").restarts == 1, 10, "the next life is followed by another")


def test_what_was_stopped_while_it_waited_stays_down(guarded: Supervision, paths: Paths) -> None:
    until(
        lambda: course_of(paths, "ending").attempts == 1 and course_of(paths, "ending").phase == Phase.WAITING
    )
    guarded.leave("ending", guarded.rows()["ending"].seen)
    until(lambda: course_of(paths, "ending").phase == Phase.LEFT, 10)
    (paths.run / "guardian.json").write_text('{"life": ')  # a disk's fault, or somebody's
    kill(guarded, "guardian")
    until(lambda: courses.read(paths).restarts == 1, 10)
    assert course_of(paths, "ending").phase == Phase.LEFT


def watched(paths: Paths, guarded: Supervision, seconds: float, *, beats: bool) -> list[str]:
    """What the parent says within that time, the first look at a guardian that has shown life not counted."""
    said: list[str] = []
    watch, beat, now = Watch(paths, said.append), paths.beat(GUARDIAN), 0.0
    watch.look(now)
    before = beat.stat().st_mtime_ns
    until(lambda: beat.stat().st_mtime_ns != before, what="a beat")
    watch.look(EVERY)
    kill(guarded, GUARDIAN, signal.SIGSTOP)
    while now < seconds:
        now += EVERY
        if beats:
            os.utime(beat, (now, now))
        watch.look(EVERY + now)
    return said


def test_the_parent_ends_a_guardian_that_is_stopped(guarded: Supervision, paths: Paths) -> None:
    until(lambda: paths.beat(GUARDIAN).exists(), what="its first beat")
    before = pid(guarded, GUARDIAN)
    (said,) = watched(paths, guarded, ALARM_SECONDS + EVERY, beats=False)
    assert said.startswith(f"the guardian showed no life for {ALARM_SECONDS} s and was ended; ")
    until(lambda: pid(guarded, GUARDIAN) not in (0, before), what="another one")
    lasting = pid(guarded, "lasting")
    kill(guarded, "lasting")
    until(lambda: pid(guarded, "lasting") not in (0, lasting), what="it works")


@pytest.mark.parametrize("seconds,beats", [(ALARM_SECONDS - EVERY, False), (10 * ALARM_SECONDS, True)])
def test_the_parent_leaves_any_other_guardian_alone(
    guarded: Supervision, paths: Paths, seconds: float, beats: bool
) -> None:
    until(lambda: paths.beat(GUARDIAN).exists(), what="its first beat")
    before = pid(guarded, GUARDIAN)
    said = watched(paths, guarded, seconds, beats=beats)
    kill(guarded, GUARDIAN, signal.SIGCONT)
    assert said == []
    assert pid(guarded, GUARDIAN) == before


def test_the_parent_leaves_one_alone_that_an_operator_stopped(guarded: Supervision, paths: Paths) -> None:
    said: list[str] = []
    watch = Watch(paths, said.append)
    with supervisor_socket.connect(paths) as proxy:
        proxy.supervisor.stopProcess(GUARDIAN)
    for number in range(200):
        watch.look(number * EVERY)
    assert said == []
    assert guarded.rows()[GUARDIAN].seen.state == "STOPPED"


HANGING = """
import os, sys
from appliance import settings
from appliance.runtime.guardian import guard
guard.ALARM_SECONDS = 1
guard.Guard(settings.load(), lambda _: None).run()
"""


def test_a_guardian_that_hangs_ends_itself(asked: Supervision, environ: dict[str, str], paths: Paths) -> None:
    """Its supervisord takes no answer to an event; 60 s are one here."""
    source, sink = os.pipe()
    heard, said = os.pipe()
    fcntl.fcntl(said, fcntl.F_SETPIPE_SZ, 4096)
    os.write(said, b"x" * (4096 - len(b"READY\n")))
    command = [sys.executable, "-P", "-c", HANGING]
    child = subprocess.Popen(
        command, env={**environ, "PYTHONPATH": str(HOME)}, stdin=source, stdout=said, cwd=paths.run
    )
    try:
        os.write(sink, b"ver:3.0 eventname:TICK_5 len:6\nwhen:1")
        until(lambda: child.poll() is not None, what="its end")
        assert child.returncode == -signal.SIGALRM
    finally:
        child.kill()
        child.wait()
        for descriptor in (source, sink, heard, said):
            os.close(descriptor)
