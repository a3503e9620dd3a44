"""What the guardian keeps, and for how long it holds."""

from __future__ import annotations

import logging
import os

import pytest

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


def test_what_cannot_be_read_in_either_file_is_empty(paths: Paths) -> None:
    begin(paths)
    assert courses.read(paths).courses == {}
    for text in ("", "{", '{"courses": {"mongo": {"phase": "lost"}}}'):
        for name in FILES:
            (paths.run / name).write_text(text)
        assert courses.read(paths).courses == {}


FILES = ("guardian.json", "guardian.copy.json")


@pytest.mark.parametrize("damaged", FILES)
@pytest.mark.parametrize("text", ["", "{", '{"courses": {"mongo": {"phase": "lost"}}}', None])
def test_damage_to_one_file_forgets_nothing(
    paths: Paths, damaged: str, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The damaged one is put aside, and both are whole again with the next change."""
    begin(paths)
    keep(paths)
    path = paths.run / damaged
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert courses.read(paths).course("mongo").phase == Phase.DOWN
    with caplog.at_level(logging.ERROR):
        kept = courses.open_book(paths)
    assert kept.course("mongo").phase == Phase.DOWN
    if text is None:
        assert caplog.records == []
    else:
        assert (paths.run / f"{damaged}.damaged").read_text() == text
        (told,) = caplog.records
        assert told.__dict__["kept_as"] == f"{path}.damaged"
    courses.write(paths, courses.encode(kept))
    for name in FILES:
        assert (paths.run / name).read_bytes() == courses.encode(kept)


def test_killed_between_its_two_files_the_newer_one_holds(paths: Paths) -> None:
    begin(paths)
    keep(paths)
    old = (paths.run / FILES[1]).read_bytes()
    kept = courses.read(paths)
    kept.course("mongo").phase = Phase.LEFT
    courses.write(paths, courses.encode(kept))
    (paths.run / FILES[1]).write_bytes(old)
    assert courses.open_book(paths).course("mongo").phase == Phase.LEFT


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
