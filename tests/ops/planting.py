"""Faults that are planted so that doctor finds them: what a row says, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from appliance.ops import doctor
from appliance.ops.findings import Finding, Severity

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


def bad(found: list[Finding]) -> set[Finding]:
    return {each for each in found if each.severity != "ok"}


def judge(row: Row[P], place: P, examine: Callable[[P], list[Finding]], mark: Callable[[P], object]) -> None:
    """Plant it, have doctor look, take it away. Raises AssertionError."""
    healthy = bad(examine(place))
    with row.plant(place):
        before = mark(place)
        found = examine(place)
        assert mark(place) == before, "doctor has touched something"
        _judge_findings(row, place, healthy, bad(found))
        assert doctor.status(found) == EXITS[max((each.severity for each in found), key=EXITS.__getitem__)]
        assert doctor.status(found) >= EXITS[row.severity]
    assert bad(examine(place)) == healthy, "it is not gone, or something else is wrong now"


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
