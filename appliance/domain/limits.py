"""The ends of a scale that an expression sets: minValueExpression and maxValueExpression."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from appliance.domain.comparison import is_empty
from appliance.domain.computed import stored
from appliance.domain.evaluation import Run
from appliance.domain.javascript import UNDEFINED, less, text_of
from appliance.domain.logic import ask, condition
from appliance.domain.message import Message, Said
from appliance.domain.moment import Moment, read_moment
from appliance.domain.node import Node
from appliance.domain.view import View

LAST_DAY: Final = "2999-12-31"
"""settings.maxDate: what a date may be where the form sets no end."""
_DATES: Final = ("date", "datetime-local")
ByView = Callable[[Any, View], Said | None]


def limits_by_view(node: Node, kind: str) -> ByView | None:
    """What an answer says against an end that is computed; None where no expression sets one."""
    checks = [
        _check(node, kind, name, run)
        for name in ("min", "max")
        if (run := condition(node, f"{name}ValueExpression")) is not None
    ]
    if not checks:
        return None
    return lambda value, view: next(
        (said for check in checks if (said := check(value, view)) is not None), None
    )


def _check(node: Node, kind: str, name: str, run: Run) -> ByView:
    own = node.values.get(f"{name}ErrorText")

    def check(value: Any, view: View) -> Said | None:
        if is_empty(value):
            return None
        end = _end(ask(run, view), kind, name)
        if not end and kind in _DATES and not is_empty(end):
            end = _end(view.now, kind, name)  # createDate() takes false and 0 for none, so for now
        if is_empty(end) or not _beyond(value, end, kind, name):
            return None
        return Message(f"{name}Error", (_shown(end, kind),), own, fills_own=True)

    return check


def _end(found: Any, kind: str, name: str) -> Any:
    """What an expression gave, as this input takes it."""
    if isinstance(found, Moment):
        return stored(found)[: 16 if kind == "datetime-local" else 10] if found.parts() else UNDEFINED
    if not found and kind in _DATES and name == "max":
        return LAST_DAY
    return found


def _beyond(value: Any, end: Any, kind: str, name: str) -> bool:
    if kind in _DATES:
        value, end = _moment(value), _moment(end)
    for one in value if isinstance(value, list) else (value,):  # a slider with two ends
        if less(one, end) if name == "min" else less(end, one):
            return True
    return False


def _moment(value: Any) -> Moment:
    return Moment(float(value)) if isinstance(value, int | float) else read_moment(text_of(value))


def _shown(end: Any, kind: str) -> str:
    if kind not in _DATES:
        return text_of(end)
    return _moment(end).text()[: 15 if kind == "date" else None]
