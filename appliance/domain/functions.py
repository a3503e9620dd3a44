"""The functions that survey-core's expressions may call (functionsfactory.ts of survey-core 3.1.1).

Those that ask for the time or the form take a Surroundings; what goes through arrays of objects is in
`functions_array`, because it evaluates its condition for each of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from appliance.domain.comparison import corrected, is_empty, looks_numeric, number_in
from appliance.domain.functions_date import DATES
from appliance.domain.javascript import (
    NAN,
    UNDEFINED,
    add,
    less,
    number_of,
    substring,
    text_of,
    tidy,
    truthy,
)
from appliance.domain.moment import Moment


class Surroundings(Protocol):
    """What functions may know beside their parameters."""

    @property
    def now(self) -> Moment: ...

    def comment(self, name: str) -> Any:
        """The comment of the question of this name, "" if there is none."""

    def spend(self, steps: int) -> None:
        """Takes them from what is left for one response. Raises Exhausted."""


Function = Callable[[list[Any], Surroundings], Any]


def gathered(value: Any, found: list[Any]) -> list[Any]:
    """Arrays opened, nothing left out but null and undefined; numbers written as texts are numbers."""
    if isinstance(value, list):
        for item in value:
            gathered(item, found)
    elif value is not None and value is not UNDEFINED:
        number = number_in(value)
        found.append(value if math.isnan(number) else tidy(number))
    return found


def _sum(params: list[Any], _: Surroundings) -> Any:
    return _total(gathered(params, []))


def _total(items: list[Any]) -> Any:
    total: Any = 0
    for item in items:
        total = corrected(total, item, add(total, item))
    return total


def _extreme(params: list[Any], wins: Callable[[Any, Any], bool]) -> Any:
    items = gathered(params, [])
    if not items:
        return UNDEFINED
    best = items[0]
    for item in items:
        if wins(item, best):
            best = item
    return best


def _avg(params: list[Any], _: Surroundings) -> Any:
    items = gathered(params, [])
    return tidy(number_of(_total(items)) / len(items)) if items else 0


def _round(params: list[Any], _: Surroundings) -> Any:
    number, precision = _number_and_precision(params, 0)
    if math.isnan(number) or math.isnan(precision):
        return NAN
    try:
        power = math.pow(10, precision)
    except OverflowError:
        return NAN
    scaled = number * power * (1 + 2**-52)
    if not power or not math.isfinite(scaled):
        return NAN
    return tidy(math.floor(scaled + 0.5) / power) if abs(scaled) < 2**52 else tidy(scaled / power)


def _trunc(params: list[Any], _: Surroundings) -> Any:
    number, precision = _number_and_precision(params, -1)
    if math.isnan(number) or math.isnan(precision):
        return NAN
    places = int(precision) if precision > 0 and precision.is_integer() and precision < 1000 else None
    pattern = r"-?\d+" if places is None else rf"-?\d+(?:.\d{{0,{places}}})?"
    found = re.match(pattern, text_of(tidy(number)), re.ASCII)
    return tidy(number_of(found[0])) if found else NAN


def _number_and_precision(params: list[Any], default: float) -> tuple[float, float]:
    items = gathered(params, [])
    if not items:
        return NAN, default
    given = items[1] if len(items) > 1 else None
    return number_in(items[0]), number_in(given) if truthy(given) else default


def _iif(params: list[Any], _: Surroundings) -> Any:
    if len(params) < 2:
        return None
    if truthy(params[0]):
        return params[1]
    return params[2] if len(params) > 2 else UNDEFINED


def _substring(params: list[Any], _: Surroundings) -> Any:
    if len(params) < 2 or not isinstance(params[0], str) or not looks_numeric(params[1]):
        return ""
    end = params[2] if len(params) > 2 and looks_numeric(params[2]) else UNDEFINED
    return substring(params[0], params[1], end)


def _comment(params: list[Any], around: Surroundings) -> Any:
    return around.comment(text_of(params[0])) if params and not is_empty(params[0]) else UNDEFINED


FUNCTIONS: Final[Mapping[str, Function]] = {
    **DATES,
    "avg": _avg,
    "count": lambda params, _: len(gathered(params, [])),
    "getComment": _comment,
    "iif": _iif,
    "isDisplayMode": lambda params, _: False,
    "max": lambda params, _: _extreme(params, lambda item, best: less(best, item)),
    "min": lambda params, _: _extreme(params, lambda item, best: less(item, best)),
    "round": _round,
    "substring": _substring,
    "sum": _sum,
    "trunc": _trunc,
}
