"""survey-core's validators on a question."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from appliance.domain.effort import bytes_of
from appliance.domain.field import TOO_LONG, Validator
from appliance.domain.logic import condition, holds
from appliance.domain.message import Message, Said
from appliance.domain.node import Node
from appliance.domain.pattern import Pattern, compile_pattern
from appliance.domain.values import is_blank, js_length, js_text, to_number
from appliance.domain.view import View

is_email: Final = compile_pattern(
    r"^(([^<>()\[\]\.,;:\s@\"]+(\.[^<>()\[\]\.,;:\s@\"]+)*)|(\".+\"))"
    r"@(([^<>()=[\]\.,;:\s@\"]+\.)+[^<>()=[\]\.,;:\s@\"]{2,})$",
    ignore_case=True,
)
"""EmailValidator.re of survey-core."""


def validators(nodes: Iterable[Node]) -> tuple[Validator, ...]:
    """One rule a validator that can fail an answer; a warning or a hint cannot."""
    wanted = (node for node in nodes if (node.values.get("notificationType") or "error") == "error")
    made = (_MAKERS[node.kind](node, node.values.get("text")) for node in wanted if node.kind in _MAKERS)
    return tuple(made)


def _numeric(node: Node, own: object) -> Validator:
    low, high = node.value("minValue"), node.value("maxValue")
    name = Message("value").told
    if low is not None and high is not None:
        message = Message("numericMinMax", (name, low, high), own)
    elif low is not None:
        message = Message("numericMin", (name, low), own)
    else:
        message = Message("numericMax", (name, high), own)
    not_a_number = Message("numericError", own=own)

    def rule(value: Any, _: View) -> Said | None:
        if is_blank(value):
            return None
        number = to_number(value)
        if number is None:
            return not_a_number
        return message if (low is not None and low > number) or (high is not None and high < number) else None

    return rule


def _text(node: Node, own: object) -> Validator:
    low, high = node.value("minLength"), node.value("maxLength")
    no_digits = not node.flag("allowDigits")
    if low > 0 and high > 0:
        message = Message("textMinMaxLength", (low, high), own)
    elif low > 0:
        message = Message("textMinLength", (low,), own)
    else:
        message = Message("textMaxLength", (high,), own)
    has_digits = Message("textNoDigitsAllow", own=own)

    def rule(value: Any, _: View) -> Said | None:
        if is_blank(value):
            return None
        if no_digits and js_text(value)[-1:] in tuple("0123456789"):
            return has_digits
        if not isinstance(value, str | list):
            return None
        length = js_length(value) if isinstance(value, str) else len(value)
        return message if (low > 0 and length < low) or (high > 0 and length > high) else None

    return rule


def _answer_count(node: Node, own: object) -> Validator:
    low, high = node.value("minCount"), node.value("maxCount")
    too_few, too_many = Message("minSelectError", (low,), own), Message("maxSelectError", (high,), own)

    def rule(value: Any, _: View) -> Said | None:
        if not isinstance(value, list) or not value:
            return None
        if low and len(value) < low:
            return too_few
        if high and len(value) > high:
            return too_many
        return None

    return rule


def regex(node: Node) -> Pattern:
    """The pattern of a regex validator, as it will be used. Raises ValueError."""
    return compile_pattern(js_text(node.values.get("regex") or ""), ignore_case=node.flag("caseInsensitive"))


def _regex(node: Node, own: object) -> Validator:
    matches, message = regex(node), Message("", own=own)

    def rule(value: Any, view: View) -> Said | None:
        if is_blank(value):
            return None
        texts = [js_text(item) for item in ([*value, value] if isinstance(value, list) else [value])]
        if not view.session.faults.spend(matches.weight * sum(map(bytes_of, texts))):
            return TOO_LONG
        return None if all(map(matches, texts)) else message

    return rule


def _email(node: Node, own: object) -> Validator:
    message = Message("invalidEmail", own=own)
    return lambda value, _: None if not value or is_email(js_text(value)) else message


def _expression(node: Node, own: object) -> Validator:
    """Asked without an answer too. What it says of itself has its expression in it, as survey-core's has."""
    run = condition(node, "expression")
    message = Message("invalidExpression", (node.text("expression"),), own)
    return lambda value, view: None if run is None or holds(run, view) else message


_MAKERS: Final[dict[str, Callable[[Node, object], Validator]]] = {
    "numericvalidator": _numeric,
    "textvalidator": _text,
    "answercountvalidator": _answer_count,
    "regexvalidator": _regex,
    "emailvalidator": _email,
    "expressionvalidator": _expression,
}
