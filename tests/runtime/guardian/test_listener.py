"""supervisord's protocol, by its letter."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from appliance.runtime.guardian.listener import Event, Listener

FIRST = b"ver:3.0 server:s serial:1 pool:guardian poolserial:1 eventname:TICK_5 len:6\nwhen:5"
SECOND = b"ver:3.0 server:s serial:2 pool:guardian eventname:REMOTE_COMMUNICATION len:10\ntype:a\nb\nc"
OK = b"RESULT 2\nOKREADY\n"


class Ends:
    """A listener, and supervisord's ends of its pipes."""

    def __init__(self) -> None:
        self.source, self.sink = os.pipe()
        self.answers, target = os.pipe()
        self.target = target
        self.listener = Listener(self.source, target)

    def said(self) -> bytes:
        return os.read(self.answers, 1000)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for each in (made.source, made.answers, made.target):
        os.close(each)


def test_an_event_is_answered_once_it_is_worked_off(ends: Ends) -> None:
    assert ends.said() == b"READY\n"
    os.write(ends.sink, FIRST)
    events = ends.listener.wait(1)
    assert next(events) == Event("TICK_5", "when:5")
    os.set_blocking(ends.answers, False)
    with pytest.raises(BlockingIOError):
        ends.said()
    assert list(events) == []
    assert ends.said() == OK
    os.close(ends.sink)


def test_events_come_in_pieces_and_in_heaps(ends: Ends) -> None:
    whole, heard = FIRST + SECOND, []
    for number in range(len(whole)):
        os.write(ends.sink, whole[number : number + 1])
        heard += list(ends.listener.wait(0))
    assert heard == [Event("TICK_5", "when:5"), Event("REMOTE_COMMUNICATION", "type:a\nb\nc")]
    os.write(ends.sink, whole * 100)
    assert len(list(ends.listener.wait(0))) == 200
    os.close(ends.sink)


def test_nothing_is_waited_for_longer_than_asked_and_the_end_is_told(ends: Ends) -> None:
    assert list(ends.listener.wait(0.01)) == []
    os.close(ends.sink)
    with pytest.raises(EOFError):
        list(ends.listener.wait(10))
