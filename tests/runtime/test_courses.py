"""What the guardian keeps, and for how long it holds."""

from __future__ import annotations

import os

from appliance import courses
from appliance.addresses import Paths
from appliance.courses import Phase


def begin(paths: Paths, moment: int = 1) -> None:
    """As supervisord does at each start: it writes its pidfile."""
    pidfile = paths.run / "supervisord.pid"
    pidfile.write_text("1\n")
    os.utime(pidfile, (moment, moment))


def keep(paths: Paths) -> None:
    kept = courses.open_book(paths)
    kept.course("mongo").phase = Phase.DOWN
    courses.write(paths, courses.encode(kept))


def test_it_is_of_one_life_of_supervisord(paths: Paths) -> None:
    begin(paths)
    keep(paths)
    assert courses.read(paths).course("mongo").phase == Phase.DOWN
    begin(paths, 2)
    assert courses.read(paths).courses == {}, "a whole start begins everything afresh"


def test_one_that_cannot_be_read_is_empty(paths: Paths) -> None:
    begin(paths)
    assert courses.read(paths).courses == {}
    for text in ("", "{", '{"courses": {"mongo": {"phase": "lost"}}}'):
        (paths.run / "guardian.json").write_text(text)
        assert courses.read(paths).courses == {}


def test_only_an_end_that_nobody_asked_for_is_a_restart_of_the_guardian(paths: Paths) -> None:
    begin(paths)
    keep(paths)
    assert courses.read(paths).restarts == 0
    keep(paths)
    kept = courses.open_book(paths)
    assert kept.restarts == 2
    kept.was_asked = True
    courses.write(paths, courses.encode(kept))
    assert courses.open_book(paths).restarts == 2
