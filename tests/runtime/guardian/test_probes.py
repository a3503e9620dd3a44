"""What counts as an answer. Here are broken servers; tests/faults/test_guardian.py has the real ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import processes
from appliance.addresses import Paths
from appliance.runtime.guardian import probes
from appliance.settings import Settings
from tests.runtime.servers import program, until


@contextmanager
def server(path: Path, treat: Callable[[socket.socket], None]) -> Iterator[None]:
    """Treats one connection."""
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()

        def serve() -> None:
            taken, _ = door.accept()
            with taken:
                treat(taken)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()
    path.unlink()


def says(words: bytes) -> Callable[[socket.socket], None]:
    def treat(taken: socket.socket) -> None:
        taken.recv(1000)
        taken.sendall(words)

    return treat


@pytest.mark.parametrize(
    "words, expected",
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", None),
        (b"SSH-2.0\r\n", False),
    ],
)
def test_http(paths: Paths, words: bytes, expected: bool | None) -> None:
    with server(paths.nginx_socket, says(words)):
        assert probes.serves_http(paths.nginx_socket) is expected


def test_an_api_is_not_asked_while_a_reload_replaces_it(chosen: Settings, paths: Paths) -> None:
    probe = probes.of_program("api-1", chosen)
    assert probe() is False
    paths.reloading.touch()
    assert probe() is None


def test_a_connection_that_is_taken_and_closed_tells_of_a_full_house(paths: Paths) -> None:
    with server(paths.nginx_socket, lambda taken: None):
        assert probes.serves_http(paths.nginx_socket) is None


def test_silence_and_absence_are_no_answers(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TIMEOUT", 0.2)
    assert probes.serves_http(paths.nginx_socket) is False
    over = threading.Event()

    def say_nothing(taken: socket.socket) -> None:
        over.wait(10)

    with server(paths.nginx_socket, say_nothing):
        assert probes.serves_http(paths.nginx_socket) is False
        over.set()


@pytest.mark.parametrize(
    "words, expected",
    [
        (b"+OK\r\n+PONG\r\n", True),
        (b"+OK\r\n-LOADING Redis is loading the dataset in memory\r\n", None),
        (b"+OK\r\n-BUSY Redis is busy running a script.\r\n", None),
        (b"-WRONGPASS invalid username-password pair\r\n-NOAUTH Authentication required.\r\n", None),
    ],
)
def test_redis(paths: Paths, words: bytes, expected: bool | None) -> None:
    with server(paths.redis_socket, says(words)):
        assert probes.redis_answers(paths) is expected


def test_a_beat_is_a_touch_since_the_last_look_whatever_the_clock_says(paths: Paths) -> None:
    path = paths.beat("scheduler")
    beats = probes.Beats(path)
    assert [beats(), beats()] == [None, False]
    processes.beat(path)
    assert [beats(), beats()] == [True, False]
    os.utime(path, (0, 1))
    assert [beats(), beats()] == [True, False], "the clock went back"


def test_who_cannot_touch_goes_on(tmp_path: Path) -> None:
    processes.beat(tmp_path / "gone" / "beat")


def test_a_database_that_opened_no_port_yet_is_not_judged(chosen: Settings, paths: Paths) -> None:
    probe = probes.Mongo(chosen)
    assert probe() is None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        paths.mongo_port.write_text(f"{taken.getsockname()[1]}\n")
        assert probe() is None


def test_a_database_that_takes_connections_and_says_nothing_is_silent(
    chosen: Settings, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "TIMEOUT", 0.3)
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        paths.mongo_port.write_text(f"{frozen.getsockname()[1]}\n")
        probe = probes.Mongo(chosen)
        assert probe() is False
        probe.close()


def test_stopped_and_launching_processes_are_told_from_others() -> None:
    code = "import time; print(1, flush=True); time.sleep(60)"
    with program([sys.executable, "-c", code, "launch", "x"]) as child:
        until(lambda: probes.is_launching(child.pid))
        assert not probes.is_stopped(child.pid)
        os.kill(child.pid, signal.SIGSTOP)
        until(lambda: probes.is_stopped(child.pid))
        os.kill(child.pid, signal.SIGCONT)
        until(lambda: not probes.is_stopped(child.pid))
    assert not probes.is_launching(os.getpid())
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not probes.is_stopped(ended.pid)
    assert not probes.is_launching(ended.pid)
