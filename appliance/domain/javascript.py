"""What JavaScript's operators do with JSON's values: ECMA-262 §7, for the operators that survey-core uses.

`undefined` is UNDEFINED, `null` is None, a Date is a Moment, NaN is float("nan"). Numbers are doubles: whole
ones come back as int while a double holds them exactly.
"""

from __future__ import annotations

import enum
import math
import re
from typing import Any, Final

from appliance.domain.moment import Moment
from appliance.domain.values import SPACE, js_text


class Undefined(enum.Enum):
    TOKEN = 0

    def __bool__(self) -> bool:
        return False


UNDEFINED: Final = Undefined.TOKEN
NAN: Final = float("nan")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_PREFIXED: Final = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)", re.ASCII)
_INTEGER: Final = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|(?!0[xX])([0-9]+))", re.ASCII)
_INFINITY: Final = re.compile("[+-]?Infinity")
Number = int | float


def tidy(number: float) -> Number:
    """5 for 5.0."""
    if math.isfinite(number) and number.is_integer() and abs(number) < 2**53:
        return int(number)
    return number


def is_number(value: object) -> bool:
    """typeof value === "number"."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def truthy(value: Any) -> bool:
    if isinstance(value, list | dict | Moment):
        return True
    return bool(value) and value == value


def text_of(value: Any) -> str:
    """String(value)."""
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Moment):
        return value.text()
    if isinstance(value, list):
        return ",".join("" if item is None or item is UNDEFINED else text_of(item) for item in value)
    return js_text(value)


def number_of(value: Any) -> float:
    """Number(value)."""
    if isinstance(value, bool | int | float):
        return float(value)
    if value is None:
        return 0.0
    if isinstance(value, Moment):
        return value.at
    if value is UNDEFINED or isinstance(value, dict):
        return NAN
    return _number_in(text_of(value).strip(SPACE))


def _number_in(text: str) -> float:
    if not text:
        return 0.0
    if _PREFIXED.fullmatch(text):
        return float(int(text, 0)) if len(text) < 250 else math.inf
    if _INFINITY.fullmatch(text):
        return -math.inf if text[0] == "-" else math.inf
    return float(text) if _DECIMAL.fullmatch(text) else NAN


def parse_float(value: Any) -> float:
    """parseFloat(value): the number that the text begins with."""
    text = text_of(value).lstrip(SPACE)
    if found := _INFINITY.match(text):
        return -math.inf if found[0][0] == "-" else math.inf
    found = _DECIMAL.match(text)
    return float(found[0]) if found else NAN


def parse_int(value: Any) -> float:
    """parseInt(value)."""
    found = _INTEGER.match(text_of(value).lstrip(SPACE))
    if found is None:
        return NAN
    digits, base = (found[2], 16) if found[2] else (found[3], 10)
    number = float(digits) if base == 10 else (float(int(digits, 16)) if len(digits) < 250 else math.inf)
    return -number if found[1] == "-" else number


def _primitive(value: Any) -> Any:
    return text_of(value) if isinstance(value, list | dict) else value


def add(left: Any, right: Any) -> Any:
    """left + right."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str | Moment) or isinstance(right, str | Moment):
        return text_of(left) + text_of(right)
    return tidy(number_of(left) + number_of(right))


def less(left: Any, right: Any) -> bool:
    """left < right."""
    left, right = _primitive(left), _primitive(right)
    if isinstance(left, str) and isinstance(right, str):
        return _units(left) < _units(right)
    return number_of(left) < number_of(right)


def _units(text: str) -> bytes:
    """What strings are ordered by: UTF-16 code units."""
    return text.encode("utf-16-be", "surrogatepass")


def order(value: Any) -> tuple[bool, bytes]:
    """The key that Array.sort() without a function sorts by."""
    return value is UNDEFINED, _units(text_of(value))


def same(left: Any, right: Any) -> bool:
    """left === right."""
    if isinstance(left, list | dict | Moment) or isinstance(right, list | dict | Moment):
        return left is right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return bool(float(left) == float(right))
    return type(left) is type(right) and bool(left == right)


def loosely_same(left: Any, right: Any) -> bool:
    """left == right, of what are no objects."""
    nothing = (None, UNDEFINED)
    if left in nothing or right in nothing:
        return left in nothing and right in nothing
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    return number_of(left) == number_of(right)


def substring(text: str, start: Any, end: Any) -> str:
    """text.substring(start, end), in UTF-16 code units."""
    units = text.encode("utf-16-le", "surrogatepass")
    size = len(units) // 2
    first, last = sorted((_place(start, size), size if end is UNDEFINED else _place(end, size)))
    return units[first * 2 : last * 2].decode("utf-16-le", "surrogatepass")


def _place(value: Any, size: int) -> int:
    number = number_of(value)
    return 0 if math.isnan(number) else int(max(0.0, min(number, float(size))))
