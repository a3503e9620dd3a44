"""Answers to boolean, rating and slider questions."""

from __future__ import annotations

from typing import Any

from appliance.domain.choices import Choices
from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept, Checks, Context, needs, refuse
from appliance.domain.limits import limits_by_view
from appliance.domain.message import Message
from appliance.domain.node import Node
from appliance.domain.survey_core import MAX_RATES
from appliance.domain.values import same_key, to_number, whole


def boolean_checks(question: Question, context: Context) -> Checks:
    given = (question.node.values.get("valueTrue"), question.node.values.get("valueFalse"))
    values = [
        default if value is None else value for value, default in zip(given, (True, False), strict=True)
    ]

    def accept(value: Any, path: str, faults: Faults) -> object:
        for one in values:
            if value == one and type(value) is type(one):
                return one
        return refuse(faults, path, Message("variableValueNotInChoices", (value,)))

    return Checks(accept)


def rating_checks(question: Question, context: Context) -> Checks:
    by_key = {same_key(value): value for value in rates(question.node)}
    texts = frozenset(value for value in by_key.values() if isinstance(value, str))
    nothing: frozenset[str] = frozenset()
    return Checks(Choices(by_key, texts, False, nothing, nothing).accept)


def rates(node: Node) -> list[object]:
    """The steps of a rating: its rateValues, else those from rateMin to rateMax."""
    given = [item.values["value"] for item in node.nodes("rateValues")]
    if given and not node.values.get("autoGenerate"):
        return given
    low, high, step = scale(node)
    found: list[object] = []
    value: int | float | None = low
    while value is not None and value <= high and len(found) < MAX_RATES and value not in found:
        found.append(value)
        value = whole(float(round(low + len(found) * step, 9)))
    return found[:10] if node.text("rateType") == "smileys" else found


def scale(node: Node) -> tuple[float, float, float]:
    """rateCount with one end given stands for the other (QuestionRatingModel.endLoadingFromJson)."""
    low, high, step = node.value("rateMin"), node.value("rateMax"), node.value("rateStep")
    count = node.values.get("rateCount")
    if count is not None and "rateMin" in node.values and "rateMax" not in node.values:
        high = low + step * (count - 1)
    elif count is not None and "rateMax" in node.values and "rateMin" not in node.values:
        low = high - step * (count - 1)
    return low, high, step


def slider_checks(question: Question, context: Context) -> Checks:
    node = question.node
    position, by_view = _accept_position(node), limits_by_view(node, "slider")
    if node.text("sliderType") == "range":
        return Checks(_accept_range(position), by_view=by_view)
    return Checks(position, by_view=by_view)


def _accept_position(node: Node) -> Accept:
    """A number on the scale; ends that an expression sets are asked later."""
    low = None if node.values.get("minValueExpression") else node.value("min")
    high = None if node.values.get("maxValueExpression") else node.value("max")

    def accept(value: Any, path: str, faults: Faults) -> object:
        number = None if isinstance(value, str) else to_number(value)
        if number is None:
            return refuse(faults, path, Message("numericError"))
        if low is not None and number < low:
            return refuse(faults, path, Message("minError", (low,)))
        if high is not None and number > high:
            return refuse(faults, path, Message("maxError", (high,)))
        return number

    return accept


def _accept_range(position: Accept) -> Accept:
    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, list) or not 1 <= len(value) <= 10:
            return refuse(faults, path, needs("an array of the positions", value))
        found = [position(item, f"{path}/{place}", faults) for place, item in enumerate(value)]
        return REFUSED if REFUSED in found else found

    return accept
