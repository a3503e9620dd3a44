"""Answers to text questions with an input mask.

survey-core holds to a mask while somebody types, and trusts what it is given; a server must not. Stored is
what survey-core stores: under saveMaskedValue the text as it looked, else a pattern's characters without what
the pattern adds, a number, or a date in ISO 8601.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from appliance.domain.faults import Faults
from appliance.domain.field import Accept, needs, refuse
from appliance.domain.mask_date import date_accept
from appliance.domain.message import Message
from appliance.domain.node import Node
from appliance.domain.values import to_number

DEFINITIONS: Final = {"9": "[0-9]", "a": "[a-zA-Z]", "#": "[a-zA-Z0-9]"}
"""settings.maskSettings.patternDefinitions."""
_INPUTS: Final = ("text", "tel")
"""Input types that have masks; survey-core ignores them for others."""


def mask_accept(node: Node, kind: str, locale: str) -> Accept | None:
    """None where no mask counts; `kind` is the inputType."""
    settings = node.values.get("maskSettings")
    made = _MASKS.get(node.text("maskType") or "none")
    if kind not in _INPUTS or made is None:
        return None
    if not isinstance(settings, Node):
        settings = Node(f"{node.text('maskType')}mask", node.path, {})
    return made(settings, locale)


def _pattern(settings: Node, _: str) -> Accept:
    literals = list(_literals(settings.text("pattern")))
    masked = re.compile("".join(expression for expression, _ in literals), re.ASCII)
    bare = re.compile("".join(expression for expression, kept in literals if kept), re.ASCII)
    saves, pattern = settings.flag("saveMaskedValue"), settings.text("pattern")

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if not pattern:
            return value
        if masked.fullmatch(value):
            return value if saves else _bare(value, literals)
        if not bare.fullmatch(value):
            return refuse(faults, path, f"the mask {pattern} is not filled in")
        return _masked(value, literals) if saves else value

    return accept


def _literals(pattern: str) -> Iterator[tuple[str, bool]]:
    """An expression for each place, and whether what stands there is stored: letters and digits are."""
    escaped = False
    for char in pattern:
        if char == "\\" and not escaped:
            escaped = True
        elif char in DEFINITIONS and not escaped:
            yield DEFINITIONS[char], True
        else:
            yield re.escape(char), escaped or (char.isascii() and char.isalnum())
            escaped = False


def _bare(value: str, literals: list[tuple[str, bool]]) -> str:
    return "".join(char for char, (_, kept) in zip(value, literals, strict=True) if kept)


def _masked(value: str, literals: list[tuple[str, bool]]) -> str:
    chars = iter(value)
    return "".join(next(chars) if kept else expression.removeprefix("\\") for expression, kept in literals)


def _numeric(settings: Node, locale: str) -> Accept:
    low, high = settings.values.get("min"), settings.values.get("max")
    if not settings.flag("allowNegativeValues"):
        low = max(low or 0, 0)
    precision, saves = int(settings.value("precision")), settings.flag("saveMaskedValue")
    point = settings.text("decimalSeparator") or ("." if locale in ("", "en") else "")

    def accept(value: Any, path: str, faults: Faults) -> object:
        number = _number_in(value, point) if saves else to_number(value)
        if saves and not point and isinstance(value, str) and any(map(str.isdigit, value)):
            return value  # which sign parts the digits depends on the language
        if number is None:
            return refuse(faults, path, Message("numericError"))
        if low is not None and number < low:
            return refuse(faults, path, Message("minError", (low,)))
        if high is not None and number > high:
            return refuse(faults, path, Message("maxError", (high,)))
        if round(number, precision) != number:
            return refuse(faults, path, f"at most {precision} digits after the decimal point")
        return value if saves else number

    return accept


def _number_in(value: Any, point: str) -> float | None:
    """The number in masked text: its digits, the sign before them, what comes after the decimal separator."""
    if not isinstance(value, str):
        return to_number(value)
    kept = "".join(char for char in value.replace(point, "\0") if char in "0123456789-\0")
    try:
        return float(kept.replace("\0", "."))
    except ValueError:
        return None


_MASKS: Final[Mapping[str, Callable[[Node, str], Accept]]] = {
    "pattern": _pattern,
    "numeric": _numeric,
    "currency": _numeric,
    "datetime": date_accept,
}
