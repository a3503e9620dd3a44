"""What a list holds, for `contains`, `anyof` and `allof`, and what it costs to ask: the two belong together.

Texts among texts and numbers among numbers are found by hash; a text or number is never an object. Only what
is left is compared pair by pair.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from appliance.domain.comparison import equal
from appliance.domain.effort import OPERAND, breadth, weigh
from appliance.domain.values import SPACE

LOOK: Final = 350
"""Steps that an item of a list takes where it is read as a number or sorted as a text: some 5 µs."""
SUMMED: Final = 1000
"""The same where it is added up, or many times made into a number: some 15 µs."""
_CHARACTERS: Final = 8
"""Steps that a value takes that is read once, for itself or each 16 characters."""
_MEMBER: Final = 40
"""Steps to look at an item by its kind and hash."""
_PAIR: Final = 700
"""Steps to compare two values that are of different kinds, such as a number and a text."""


class Members:
    """The items of a list by kind."""

    __slots__ = ("numbers", "objects", "others", "texts", "texts_known")

    def __init__(self, items: Iterable[Any]) -> None:
        self.texts: list[str] = []
        self.numbers: set[float] = set()
        self.objects: list[Any] = []
        self.others: list[Any] = []
        for item in items:
            kind = _kind(item)
            if kind == "text":
                self.texts.append(item)
            elif kind == "number":
                self.numbers.add(item)
            else:
                (self.objects if kind == "object" else self.others).append(item)
        self.texts_known = frozenset(map(_normal, self.texts))

    def has(self, one: Any) -> bool:
        """As if each item were asked `equal(item, one)`."""
        kind = _kind(one)
        if kind == "text":
            return _normal(one) in self.texts_known or _any(one, self.numbers, self.others)
        if kind == "number":
            return one in self.numbers or _any(one, self.texts, self.others)
        if kind == "object":
            return _any(one, self.objects, self.others)
        return _any(one, self.texts, self.numbers, self.objects, self.others)


def _any(one: Any, *groups: Iterable[Any]) -> bool:
    return any(equal(item, one) for group in groups for item in group)


def _normal(text: str) -> str:
    return text.strip(SPACE).lower()


def _kind(value: Any) -> str:
    """What no number is, NaN, and the text that stands for undefined are others."""
    kind = type(value)
    if kind is str:
        return "text" if value != "undefined" else "other"
    if kind is int or kind is float:
        return "number" if value == value else "other"
    return "object" if kind is list or kind is dict else "other"


def look(value: Any, item: int = LOOK) -> int:
    """Steps to go through a value once, `item` for each one in it. Raises Exhausted, as `weigh` does."""
    return _CHARACTERS * weigh(value) + item * breadth(value)


def search(operator: str, left: Any, right: Any) -> int:
    """Steps of `contains` and the like. Raises Exhausted."""
    if isinstance(left, list):
        return _among(left, right, opened=operator not in ("contains", "notcontains"))
    if isinstance(right, list) and operator in ("anyof", "noneof"):
        return _among(right, left, opened=False)
    times = len(right) if isinstance(right, list) and operator == "allof" else 1
    return times * look(left, SUMMED) + look(right, SUMMED)


def _among(items: list[Any], wanted: Any, *, opened: bool) -> int:
    """`opened`: lists in what is wanted are searched for item by item."""
    both = weigh(items), weigh(wanted)
    kinds = set(map(_kind, items)), _kinds_wanted(wanted, opened)
    steps = _MEMBER * (both[0] + 3 * both[1])
    if all(len(found) == 1 for found in kinds) and _is_hashed(*kinds[0], *kinds[1]):
        return steps
    if kinds == ({"object"}, {"object"}):
        return steps + OPERAND * both[0] * both[1]
    return steps + _PAIR * both[0] * both[1]


def _kinds_wanted(wanted: Any, opened: bool) -> set[str]:
    found: set[str] = set()
    for one in wanted if isinstance(wanted, list) else [wanted]:
        found.update(map(_kind, one) if opened and isinstance(one, list) else (_kind(one),))
    return found


def _is_hashed(left: str, right: str) -> bool:
    """Whether no two of them have to be compared."""
    plain = ("text", "number")
    return (left == right and left in plain) or {left, right} in ({"object", "text"}, {"object", "number"})
