"""Values for expressions, and the scope that survey-core's ExpressionRunner.runValues() gives them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.javascript import UNDEFINED
from appliance.domain.moment import Moment
from appliance.domain.reference import Reference, follow

NOW: Final = 1_773_146_096_789.0
"""2026-03-10T12:34:56.789Z"""


@dataclass(frozen=True)
class Plain:
    values: dict[str, Any]

    @property
    def now(self) -> Moment:
        return Moment(NOW)

    def find(self, name: Reference) -> Any:
        return follow(name.path, self.values)

    def is_ordered(self, name: str) -> bool:
        return False

    def within(self, item: Any) -> Plain:
        return Plain(item)

    def comment(self, name: str) -> Any:
        return UNDEFINED

    def spend(self, steps: int) -> None:
        assert steps > 0


def alike(ours: Any, theirs: Any) -> bool:
    """The same as JSON: 1 is not true, and numbers are doubles."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(alike(one, theirs[name]) for name, one in ours.items())
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if type(ours) in (int, float) and type(theirs) in (int, float):
        return float(ours) == float(theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)


def told(value: Any) -> Any:
    """As expressions.mjs tells what JSON has no word for."""
    if value is UNDEFINED:
        return {"is": "undefined"}
    if isinstance(value, float) and not math.isfinite(value):
        return {"is": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, Moment):
        return {"is": "date", "at": None if math.isnan(value.at) else value.at}
    return [told(item) for item in value] if isinstance(value, list) else value


def scalar(chance: random.Random) -> Any:
    return chance.choice(
        [
            0,
            1,
            2,
            -1,
            5,
            2.5,
            0.1,
            0.2,
            10,
            1e21,
            1e-7,
            123456789012,
            True,
            False,
            "",
            "a",
            "A",
            "abc",
            "b",
            "5",
            "0",
            "007",
            "0.5",
            "1,5",
            " 5 ",
            "0x10",
            "true",
            "False",
            "undefined",
            "null",
            "2024-03-10",
            "2024-03-10T10:00",
            "2026-03-10",
            "'5'",
            "x y",
            " a",
            "é",
            "É",
            "😀b",
            "1e3",
            "12345678901234567890",
            "-5",
            "5-3",
            None,
        ]
    )


def value(chance: random.Random, depth: int = 2) -> Any:
    kind = chance.random()
    if depth == 0 or kind < 0.6:
        return scalar(chance)
    if kind < 0.85:
        return [value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return {
        name: value(chance, depth - 1)
        for name in chance.sample(["v", "k", "x", "y", "z"], chance.randint(0, 3))
    }


def rows(chance: random.Random) -> Any:
    return [
        {name: scalar(chance) for name in ("v", "k") if chance.random() < 0.8}
        for _ in range(chance.randint(0, 4))
    ]


def values(chance: random.Random) -> dict[str, Any]:
    """For the names of `expressions.NAMES`."""
    found = {
        name: value(chance)
        for name in ("a", "b", "c", "text", "obj", "list", "nested", "q 1", "ä", "dotted.name")
    }
    found |= {
        "num": chance.choice([0, 1, 2.5, "3", -4, 1.1]),
        "rows": rows(chance),
        "flag": chance.random() < 0.5,
    }
    found |= {
        "list": [scalar(chance) for _ in range(chance.randint(0, 3))],
        "zero": 0,
        "empty": "",
        "big": 1e15,
    }
    found |= {"day": chance.choice(["2024-03-10", "2026-03-09", "2000-02-29T08:30", "nonsense", 0])}
    found |= {
        "obj": {"x": scalar(chance), "y": {"z": scalar(chance)}},
        "quoted": chance.choice(["'a'", '"5"']),
    }
    return {name: one for name, one in found.items() if chance.random() < 0.85}
