"""How survey-core reads and compares values in expressions: Helpers and OperandMaker of survey-core 3.1.1."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from appliance.domain.javascript import (
    NAN,
    UNDEFINED,
    Number,
    add,
    is_number,
    loosely_same,
    number_of,
    order,
    parse_float,
    parse_int,
    same,
    text_of,
    tidy,
)
from appliance.domain.moment import DAY, Moment, read_moment
from appliance.domain.values import SPACE

_WIDE: Final = Context(prec=200)
"""21 digits before the point and 100 after it."""
_OPERATORS: Final = "*^/%"


def is_empty(value: Any) -> bool:
    """Helpers.isValueEmpty: undefined, null, "", NaN, [] and objects of nothing but these."""
    if type(value) is str:
        return not value
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    if isinstance(value, bool | Moment):
        return False
    if isinstance(value, float):
        return math.isnan(value)
    return not value and not isinstance(value, int)


def number_in(value: Any) -> float:
    """Helpers.getNumber: NaN for no number; "0x10" is 16, "1,5" is 1.5, more than 15 digits are text."""
    if is_number(value):
        return float(value) if math.isfinite(value) else NAN
    if isinstance(value, str):
        value = value.strip(SPACE)
        if not value:
            return NAN
        if value.startswith("0x"):
            return NAN if len(value) > 32 else parse_int(value)
        if (len(value) > 15 and value.isascii() and value.isdigit()) or _has_operator(value):
            return NAN
        if value.count(",") == 1:
            value = value.replace(",", ".")
    found = parse_float(value)
    return NAN if math.isnan(found) or not math.isfinite(number_of(value)) else found


def _has_operator(text: str) -> bool:
    if text.rfind("-") > 0 or text.rfind("+") > 0:
        return False
    return any(sign in text for sign in _OPERATORS)


def looks_numeric(value: Any) -> bool:
    return not math.isnan(number_in(value))


def read_value(value: Any) -> Any:
    """Const.getCorrectValue, what `{name}` gives for a stored string: 5 for "5", true for "true"."""
    if not isinstance(value, str) or not value or (value[0].isalpha() and value[0] not in "tTfF"):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    if len(value) > 1 and value[0] in "'\"" and value[-1] in "'\"":
        return value[1:-1]
    number = number_in(value)
    if math.isnan(number) or (value[0] == "0" and not value.startswith("0x") and _is_code(value)):
        return value
    return tidy(number)


def _is_code(text: str) -> bool:
    """Digits that begin with 0, such as a postcode."""
    return len(text) > 1 and text[1] not in ".,"


def equal(left: Any, right: Any, ignore_order: bool = True) -> bool:
    """OperandMaker.isTwoValueEquals."""
    left = UNDEFINED if left == "undefined" else left
    right = UNDEFINED if right == "undefined" else right
    return values_equal(left, right, ignore_order)


def values_equal(left: Any, right: Any, ignore_order: bool = False) -> bool:
    """Helpers.checkIfValuesEqual: case and space around texts do not matter, 1 is "1", undefined is []."""
    if isinstance(left, str) and isinstance(right, str):
        return left == right or left.strip(SPACE).lower() == right.strip(SPACE).lower()
    if is_number(left) and is_number(right):
        return bool(left == right)
    if same(left, right) or _both_nothing(left, right) or _both_nothing(right, left):
        return True
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.at == right.at
    if _same_number(left, right):
        return True
    if is_empty(left) != is_empty(right):
        return False
    for one, other in ((left, right), (right, left)):
        if isinstance(one, bool) and isinstance(other, str):
            return text_of(one) == other.lower()
    return _same_objects(left, right, ignore_order)


def _both_nothing(left: Any, right: Any) -> bool:
    return (left == [] and right is UNDEFINED) or (left == "" and (right is UNDEFINED or right is None))


def _same_number(left: Any, right: Any) -> bool:
    if _is_object(left) or _is_object(right) or left in (None, UNDEFINED) or right in (None, UNDEFINED):
        return False
    if math.isnan(number_of(left)) or math.isnan(number_of(right)):
        return False
    return parse_int(left) == parse_int(right) and parse_float(left) == parse_float(right)


def _is_object(value: Any) -> bool:
    return isinstance(value, list | dict | Moment)


def _same_objects(left: Any, right: Any, ignore_order: bool) -> bool:
    if not _is_object(left) and not _is_object(right):
        return loosely_same(left, right)
    if isinstance(left, list) and isinstance(right, list):
        if ignore_order:
            left, right = sorted(left, key=order), sorted(right, key=order)
        return len(left) == len(right) and all(
            values_equal(one, other, ignore_order) for one, other in zip(left, right, strict=True)
        )
    if not _is_object(left) or not _is_object(right):
        return False
    return _same_entries(_entries(left), _entries(right), ignore_order)


def _entries(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {str(place): item for place, item in enumerate(value)}
    return value if isinstance(value, dict) else {}


def _same_entries(left: dict[str, Any], right: dict[str, Any], ignore_order: bool) -> bool:
    return left.keys() == right.keys() and all(
        values_equal(item, right[name], ignore_order) for name, item in left.items()
    )


def decimals(value: Any) -> int:
    """Helpers.countDecimals."""
    if type(value) is int:
        return 0
    if not looks_numeric(value) or (is_number(value) and float(value).is_integer()):
        return 0
    _, _, fraction = text_of(value).partition(".")
    return len(fraction.split(".")[0])


def rounded(result: Any, digits: int) -> Any:
    """parseFloat(result.toFixed(digits)), for sums and products of decimal fractions."""
    if digits <= 0 or not isinstance(result, int | float) or not math.isfinite(result) or abs(result) >= 1e21:
        return result
    places = min(digits, 100)  # where toFixed() throws for more
    exact = Decimal(result).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _WIDE)
    return tidy(float(exact))


def corrected(left: Any, right: Any, result: Any) -> Any:
    """Helpers.correctAfterPlusMinis: 0.1 + 0.2 is 0.3."""
    if not is_number(result):
        return result
    return rounded(result, max(decimals(left), decimals(right)))


def plus(left: Any, right: Any) -> Any:
    """Helpers.sumAnyValues."""
    if looks_numeric(left) and looks_numeric(right):
        if isinstance(left, str) or isinstance(right, str):
            return add(left, right)
        return corrected(left, right, add(left, right))
    lists = isinstance(left, list), isinstance(right, list)
    if all(lists):
        return [*left, *right]
    if any(lists):
        found = _plus_list(left, right)
        if found is not None:
            return found
    return add(left, right)


def _plus_list(left: Any, right: Any) -> Any:
    items, other = (left, right) if isinstance(left, list) else (right, left)
    if isinstance(other, str):
        text = ", ".join("" if item is None or item is UNDEFINED else text_of(item) for item in items)
        return text + other if items is left else other + text
    if not is_number(other):
        return None
    total: Number = 0
    for item in items:
        if is_number(item):
            total = corrected(total, item, add(total, item))
    return corrected(total, other, add(total, other))


def dated(left: Any, right: Any) -> tuple[Any, Any]:
    """OperandMaker.convertValForDateCompare: a text beside a date is one too, as exact as it is written."""
    if isinstance(right, Moment) and isinstance(left, str):
        text, date = _beside(left, right)
        return text, date
    if isinstance(left, Moment) and isinstance(right, str):
        text, date = _beside(right, _as_exact(left, len(right)))
        return date, text
    return left, right


def _as_exact(date: Moment, length: int) -> Moment:
    units: tuple[tuple[int, Callable[[float], float]], ...] = (
        (17, lambda at: at - at % 60_000),
        (14, lambda at: at - at % 3_600_000),
        (11, lambda at: at - at % DAY + (at % 60_000)),
    )
    at = date.at
    for most, cut in units:
        if length < most:
            at = cut(at)
    return Moment(at)


def _beside(text: str, date: Moment) -> tuple[Moment, Moment]:
    found = read_moment(text) if text else Moment(NAN)
    whole = Moment(date.at - date.at % 1000)
    if not math.isnan(whole.at) and whole.at % DAY:
        return found, whole
    return Moment(found.at - found.at % DAY + found.at % 1000), whole
