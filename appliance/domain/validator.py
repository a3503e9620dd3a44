"""survey-core's validators on a question. An expression validator is a condition and not enforced yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from appliance.domain.effort import bytes_of
from appliance.domain.faults import Faults
from appliance.domain.field import TOO_LONG, Validator
from appliance.domain.node import Node
from appliance.domain.pattern import Pattern, compile_pattern
from appliance.domain.survey_core import TEXTS
from appliance.domain.values import fill, is_blank, js_length, js_text, to_number

is_email: Final = compile_pattern(
    r"^(([^<>()\[\]\.,;:\s@\"]+(\.[^<>()\[\]\.,;:\s@\"]+)*)|(\".+\"))"
    r"@(([^<>()=[\]\.,;:\s@\"]+\.)+[^<>()=[\]\.,;:\s@\"]{2,})$",
    ignore_case=True,
)
"""EmailValidator.re of survey-core."""


def validators(nodes: Iterable[Node], locale: str) -> tuple[Validator, ...]:
    """One rule a validator that can fail an answer; a warning or a hint cannot."""
    wanted = (node for node in nodes if (node.values.get("notificationType") or "error") == "error")
    made = (_MAKERS[node.kind](node, node.text("text", locale)) for node in wanted if node.kind in _MAKERS)
    return tuple(made)


def _numeric(node: Node, text: str) -> Validator:
    low, high = node.value("minValue"), node.value("maxValue")
    name = TEXTS["value"]
    if low is not None and high is not None:
        message = text or fill(TEXTS["numericMinMax"], name, low, high)
    else:
        message = text or fill(
            TEXTS["numericMax" if low is None else "numericMin"], name, high if low is None else low
        )

    def rule(value: Any, _: Faults) -> str | None:
        if is_blank(value):
            return None
        number = to_number(value)
        if number is None:
            return text or TEXTS["numericError"]
        return message if (low is not None and low > number) or (high is not None and high < number) else None

    return rule


def _text(node: Node, text: str) -> Validator:
    low, high = node.value("minLength"), node.value("maxLength")
    no_digits = not node.flag("allowDigits")
    if low > 0 and high > 0:
        message = text or fill(TEXTS["textMinMaxLength"], low, high)
    else:
        message = text or fill(
            TEXTS["textMinLength" if low > 0 else "textMaxLength"], low if low > 0 else high
        )

    def rule(value: Any, _: Faults) -> str | None:
        if is_blank(value):
            return None
        if no_digits and js_text(value)[-1:] in tuple("0123456789"):
            return text or TEXTS["textNoDigitsAllow"]
        if not isinstance(value, str | list):
            return None
        length = js_length(value) if isinstance(value, str) else len(value)
        return message if (low > 0 and length < low) or (high > 0 and length > high) else None

    return rule


def _answer_count(node: Node, text: str) -> Validator:
    low, high = node.value("minCount"), node.value("maxCount")

    def rule(value: Any, _: Faults) -> str | None:
        if not isinstance(value, list) or not value:
            return None
        if low and len(value) < low:
            return text or fill(TEXTS["minSelectError"], low)
        if high and len(value) > high:
            return text or fill(TEXTS["maxSelectError"], high)
        return None

    return rule


def regex(node: Node) -> Pattern:
    """The pattern of a regex validator, as it will be used. Raises ValueError."""
    return compile_pattern(js_text(node.values.get("regex") or ""), ignore_case=node.flag("caseInsensitive"))


def _regex(node: Node, text: str) -> Validator:
    matches = regex(node)

    def rule(value: Any, faults: Faults) -> str | None:
        if is_blank(value):
            return None
        texts = [js_text(item) for item in ([*value, value] if isinstance(value, list) else [value])]
        if not faults.spend(matches.weight * sum(map(bytes_of, texts))):
            return TOO_LONG
        return None if all(map(matches, texts)) else text

    return rule


def _email(node: Node, text: str) -> Validator:
    message = text or TEXTS["invalidEmail"]
    return lambda value, _: None if not value or is_email(js_text(value)) else message


_MAKERS: Final[dict[str, Callable[[Node, str], Validator]]] = {
    "numericvalidator": _numeric,
    "textvalidator": _text,
    "answercountvalidator": _answer_count,
    "regexvalidator": _regex,
    "emailvalidator": _email,
}
