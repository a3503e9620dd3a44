"""Functions of expressions that are about dates. `now` is given: the same data has the same verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from appliance.domain.javascript import NAN, UNDEFINED, add, number_of, text_of, tidy, truthy
from appliance.domain.moment import DAY, Moment, read_moment

_MILLISECONDS: Final = {"hours": 3_600_000, "minutes": 60_000, "seconds": 1000}


class Clock(Protocol):
    @property
    def now(self) -> Moment: ...


Function = Callable[[list[Any], Any], Any]


def _date(value: Any, clock: Clock) -> Moment:
    """createDate: now, if there is no value."""
    if not truthy(value):
        return clock.now
    if isinstance(value, Moment):
        return value
    if isinstance(value, bool | int | float):
        return Moment(math.trunc(float(value)) if abs(value) <= 8.64e15 else NAN)
    return read_moment(text_of(value))


def _year(date: Moment) -> float:
    parts = date.parts()
    return NAN if parts is None else parts.year


def _months_between(start: Moment, end: Moment) -> float:
    first, last = start.parts(), end.parts()
    if first is None or last is None:
        return NAN
    return (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)


def _days_between(start: Moment, end: Moment) -> Any:
    if start.parts() is None or end.parts() is None:
        return NAN
    return tidy(abs(start.midnight().at - end.midnight().at) / DAY)


def _span(start: Moment, end: Moment, unit: Any) -> Any:
    """dateDiffMonths: in years whatever the unit, if it is neither days nor months; 0 for invalid dates."""
    if unit == "days":
        return _days_between(start, end)
    months = _months_between(start, end)
    if unit == "months":
        return months
    return 0 if math.isnan(months) else int(months / 12)


def _age(params: list[Any], clock: Clock) -> Any:
    if not params or not truthy(params[0]):
        return None
    unit = params[1] if len(params) > 1 and truthy(params[1]) else "years"
    if unit == "days":
        return 0  # survey-core compares with no date here
    return _span(_date(params[0], clock), clock.now, unit)


def _difference(params: list[Any], clock: Clock) -> Any:
    if len(params) < 2 or not truthy(params[0]) or not truthy(params[1]):
        return None
    unit = params[2] if len(params) > 2 and truthy(params[2]) else "days"
    start, end = _date(params[0], clock), _date(params[1], clock)
    if isinstance(unit, str) and unit in _MILLISECONDS:
        apart = abs(end.at - start.at) / _MILLISECONDS[unit]
        return NAN if math.isnan(apart) else math.ceil(apart)
    return _span(start, end, unit)


def _add(params: list[Any], clock: Clock) -> Any:
    if len(params) < 2 or not truthy(params[0]) or not truthy(params[1]):
        return None
    date = _date(params[0], clock)
    unit = params[2] if len(params) > 2 and truthy(params[2]) else "days"
    parts = date.parts()
    if parts is None or not isinstance(unit, str):
        return date
    return _added(date, unit, params[1])


def _added(date: Moment, unit: str, amount: Any) -> Moment:
    """setDate(getDate() + amount) and the like: a text is appended, not added, as JavaScript has it."""
    parts = date.parts()
    if parts is None:
        return date
    field = {"days": parts.day, "months": parts.month - 1, "years": parts.year, "hours": parts.hour,
             "minutes": parts.minute, "seconds": parts.second}.get(unit)  # fmt: skip
    if field is None:
        return date
    target = number_of(add(field, amount))
    if not math.isfinite(target) or abs(target) > 1e13:
        return Moment(NAN)
    step = math.trunc(target) - field
    if unit in ("months", "years"):
        return date.plus(months=step * (12 if unit == "years" else 1))
    return date.plus(milliseconds=step * _MILLISECONDS.get(unit, DAY))


def _today(params: list[Any], clock: Clock) -> Moment:
    today = clock.now.midnight()
    return _added(today, "days", params[0]) if len(params) == 1 else today


def _get_year(params: list[Any], clock: Clock) -> Any:
    if len(params) != 1 or not truthy(params[0]):
        return UNDEFINED
    return _year(_date(params[0], clock))


def _diff_days(params: list[Any], clock: Clock) -> Any:
    if len(params) != 2 or not truthy(params[0]) or not truthy(params[1]):
        return 0
    return _days_between(_date(params[0], clock), _date(params[1], clock))


def _part(take: Callable[[Any], int]) -> Function:
    def run(params: list[Any], clock: Clock) -> Any:
        given = params[0] if params else None
        parts = (_date(given, clock) if truthy(given) else clock.now.midnight()).parts()
        return NAN if parts is None else take(parts)

    return run


def _get_date(params: list[Any], clock: Clock) -> Any:
    return _date(params[0], clock) if params and truthy(params[0]) else None


DATES: Final[Mapping[str, Function]] = {
    "age": _age,
    "currentDate": lambda params, clock: clock.now,
    "currentYear": lambda params, clock: _year(clock.now),
    "dateAdd": _add,
    "dateDiff": _difference,
    "day": _part(lambda parts: parts.day),
    "diffDays": _diff_days,
    "getDate": _get_date,
    "getYear": _get_year,
    "month": _part(lambda parts: parts.month),
    "today": _today,
    "weekday": _part(lambda parts: parts.weekday),
    "year": _part(lambda parts: parts.year),
}
