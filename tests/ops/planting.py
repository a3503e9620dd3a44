"""Faults that are planted so that doctor finds them: what a row says, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from appliance.ops import doctor
from appliance.ops.findings import Finding, Severity
from tests.runtime.servers import until

P = TypeVar("P")
"""Where it is planted."""
EXITS: dict[Severity, int] = {"ok": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, slots=True)
class Row(Generic[P]):
    """`words`: what the finding must have, in what it means and what is next, with the place filled in.
    `also`: checks that have to find something too, since it follows from this fault. `hides`: checks of the
    healthy one that say something else now."""

    name: str
    plant: Callable[[P], AbstractContextManager[None]]
    check: str
    severity: Severity
    words: tuple[str, ...]
    also: frozenset[str] = frozenset()
    hides: frozenset[str] = frozenset()


@contextmanager
def nothing(_: object) -> Iterator[None]:
    """A fault that is none: what it is to show must not be there."""
    yield


def planting(steps: Callable[[P], Iterator[None]]) -> Callable[[P], AbstractContextManager[None]]:
    """What comes after the `yield` takes the fault away, also when what is judged meanwhile fails."""

    @contextmanager
    def plant(place: P) -> Iterator[None]:
        running = steps(place)
        next(running)
        try:
            yield
        finally:
            next(running, None)

    return plant


def bad(found: list[Finding]) -> set[Finding]:
    """Without what other tests change: where else this checkout runs, and which alerts fire by now."""
    told = (replace(each, next="") if each.check == "supervisor" else each for each in found)
    return {each for each in told if each.severity != "ok" and each.check != "firing"}


def judge(row: Row[P], place: P, examine: Callable[[P], list[Finding]], mark: Callable[[P], object]) -> None:
    """Plant it, have doctor look, take it away. Raises AssertionError."""
    healthy = bad(examine(place))
    with row.plant(place):
        before = _settled(place, mark)
        found = examine(place)
        assert _difference(before, mark(place)) == set(), "doctor has touched something"
        _judge_findings(row, place, healthy, bad(found))
        assert doctor.status(found) == EXITS[max((each.severity for each in found), key=EXITS.__getitem__)]
        assert doctor.status(found) >= EXITS[row.severity]
    left: list[Finding] = []

    def is_gone() -> bool:
        """The guardian says of some programs what it saw when it last looked."""
        left[:] = bad(examine(place)) ^ healthy
        return not left

    try:
        until(is_gone, 60)
    except AssertionError:
        raise AssertionError(f"it is not gone, or something else is wrong now: {left}") from None


def _difference(before: object, after: object) -> set[object]:
    """The same, as little of it as shows what differs."""
    if isinstance(before, tuple) and isinstance(after, tuple):
        return set().union(*map(_difference, before, after))
    if isinstance(before, dict) and isinstance(after, dict):
        return set(before.items() ^ after.items())
    return set() if before == after else {before, after}


def _settled(place: P, mark: Callable[[P], object]) -> object:
    """Once what began with the appliance has ended."""
    marks = [mark(place)]

    def is_still() -> bool:
        marks.append(mark(place))
        return marks[-1] == marks[-2]

    until(is_still, 30, "nothing changes any more")
    return marks[-1]


def _judge_findings(row: Row[P], place: P, healthy: set[Finding], now: set[Finding]) -> None:
    new = now - healthy
    named = [each for each in new if (each.check, each.severity) == (row.check, row.severity)]
    assert len(named) == 1, f"one finding of {row.check} is wanted: {new}"
    (finding,) = named
    assert finding.next, "what is next"
    text = f"{finding.meaning} | next: {finding.next}"
    for word in row.words:
        assert word.format(place=place) in text, (word, text)
    assert {each.check for each in new - {finding}} == row.also, f"and no more than it should: {new}"
    assert {each.check for each in healthy - now} == row.hides, "what was found without it is found with it"
