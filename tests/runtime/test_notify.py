"""What systemd would hear."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.runtime.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.setblocking(False)
        yield door


def heard(door: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(door.recv(4096).decode())
        except BlockingIOError:
            return found


def environ(door: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": door.getsockname(), **more}


def test_states_are_lines_of_one_datagram(systemd: socket.socket) -> None:
    Notifier(environ(systemd)).tell(READY=1, STATUS="two\nlines")
    assert heard(systemd) == ["READY=1\nSTATUS=two lines"]


def test_an_abstract_socket() -> None:
    name = f"appliance-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind("\0" + name)
        door.setblocking(False)
        Notifier({"NOTIFY_SOCKET": "@" + name}).tell(STOPPING=1)
        assert heard(door) == ["STOPPING=1"]


@pytest.mark.parametrize("given", [{}, {"NOTIFY_SOCKET": "/nonexistent/socket"}])
def test_without_systemd_nothing_happens(given: dict[str, str]) -> None:
    Notifier(given).tell(READY=1)


def test_life_is_proved_three_times_a_period_and_only_when_true(systemd: socket.socket) -> None:
    now, lives = [0.0], [True]
    notifier = Notifier(
        environ(systemd, WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid())), now=lambda: now[0]
    )
    told = []
    for second in range(61):
        now[0] = float(second)
        notifier.prove_life(lambda: lives[0])
        told += [second] * len(heard(systemd))
    assert told == [20, 40, 60]
    lives[0], now[0] = False, 500.0
    notifier.prove_life(lambda: lives[0])
    assert heard(systemd) == []
    lives[0] = True
    notifier.prove_life(lambda: lives[0])
    assert heard(systemd) == ["WATCHDOG=1"]


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_ours_is_left_alone(systemd: socket.socket, more: dict[str, str]) -> None:
    now = [0.0]
    notifier = Notifier(environ(systemd, **more), now=lambda: now[0])
    now[0] = 1e6
    notifier.prove_life(lambda: True)
    assert heard(systemd) == []
