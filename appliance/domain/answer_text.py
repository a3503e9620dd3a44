"""Answers to text (every inputType) and comment questions."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Final

from appliance.domain.dates import KINDS, js_date, parse, parse_limit
from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.limits import LAST_DAY, limits_by_view
from appliance.domain.link import runs_script
from appliance.domain.masks import mask_accept
from appliance.domain.message import Message, Said
from appliance.domain.node import Node
from appliance.domain.validator import is_email
from appliance.domain.values import js_length, js_text, to_number

NUMBERS: Final = frozenset({"number", "range"})
_LONG: Final = frozenset({"text", "email", "tel", "password", "url", "search"})
"""Types that have a maxLength."""
_FILLING: Final = ("defaultValueExpression", "setValueExpression")


def input_type(node: Node) -> str:
    given = node.text("inputType").lower() or "text"
    return "datetime-local" if given in ("datetime", "datetime_local") else given


def text_checks(question: Question, context: Context) -> Checks:
    node = question.node
    kind = input_type(node)
    by_view = limits_by_view(node, kind)
    if kind in NUMBERS:
        return Checks(_accept_number, _number_rules(node, kind), by_view=by_view)
    if kind in KINDS:
        return Checks(_accept_date(node, kind), _date_rules(node, kind), by_view=by_view)
    masked = mask_accept(node, kind, context.language)
    if masked is not None:
        return Checks(masked, by_view=by_view)
    has_email_validator = any(one.kind == "emailvalidator" for one in node.nodes("validators"))
    rules: tuple[Rule, ...] = (_email,) if kind == "email" and not has_email_validator else ()
    longest = _longest(node, context) if kind in _LONG else 0
    accept = accept_text(longest, filled=is_filled(question, context))
    return Checks(accept if kind != "url" else _accept_link(accept), rules, by_view=by_view)


def _accept_link(plain: Accept) -> Accept:
    """survey-core takes any text for an address; a script would run for whoever follows it."""

    def accept(value: Any, path: str, faults: Faults) -> object:
        if isinstance(value, str) and runs_script(value):
            return refuse(faults, path, "a web address is needed; this one would run a script")
        return plain(value, path, faults)

    return accept


def comment_checks(question: Question, context: Context) -> Checks:
    return Checks(accept_text(_longest(question.node, context), filled=is_filled(question, context)))


def is_filled(question: Question, context: Context) -> bool:
    """Whether an expression or a trigger puts answers here: what it gives may be a number, true or false."""
    return question.key in context.targets or any(question.node.values.get(name) for name in _FILLING)


def accept_text(longest: int, *, filled: bool = False) -> Accept:
    """A string of at most `longest` UTF-16 units; 0 sets no limit."""

    def accept(value: Any, path: str, faults: Faults) -> object:
        if filled and isinstance(value, bool | int | float):
            return value
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if longest and js_length(value) > longest:
            return refuse(faults, path, Message("textMaxLength", (longest,)))
        return value

    return accept


def _longest(node: Node, context: Context) -> int:
    own = node.value("maxLength")
    return max(int(context.max_text if own is None or own < 0 else own), 0)


def _accept_number(value: Any, path: str, faults: Faults) -> object:
    number = to_number(value)
    return refuse(faults, path, Message("numericError")) if number is None else number


def _accept_date(node: Node, kind: str) -> Accept:
    own = node.values.get("invalidInputErrorText")

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        try:
            parse(kind, value)
        except ValueError:
            return refuse(faults, path, Message("invalidInputError", own=own))
        return value

    return accept


def _email(value: Any) -> Said | None:
    return None if is_email(value) else Message("invalidEmail")


def _number_rules(node: Node, kind: str) -> tuple[Rule, ...]:
    low, high = to_number(fixed_limit(node, "min")), to_number(fixed_limit(node, "max"))
    rules: list[Rule] = []
    if low is not None:
        below = _limit_text(node, "min", js_text(low))
        rules.append(lambda value: below if value < low else None)
    if high is not None:
        above = _limit_text(node, "max", js_text(high))
        rules.append(lambda value: above if value > high else None)
    step = node.value("step")
    if kind == "number" and step is not None and step > 0:
        off = Message("stepError", (step,), node.values.get("stepErrorText"), fills_own=True)
        rules.append(lambda value: off if _is_off_step(float(value), float(step)) else None)
    return tuple(rules)


def fixed_limit(node: Node, name: str) -> Any:
    """A limit, unless an expression stands in for it."""
    return None if node.values.get(f"{name}ValueExpression") else node.values.get(name)


def _is_off_step(value: float, step: float) -> bool:
    """QuestionTextModel.isStepNumberIncorrect: both scaled to whole numbers first.

    A value that its scale makes infinite is off, as NaN !== 0 is true.
    """
    scale = 1
    while scale < 1_000_000 and (
        _round(step * scale) / scale != step or _round(value * scale) / scale != value
    ):
        scale *= 10
    whole_step = _round(step * scale)
    scaled = _round(value * scale)
    return whole_step > 0 and (math.isinf(scaled) or math.fmod(scaled, whole_step) != 0)


def _round(number: float) -> float:
    return float(math.floor(number + 0.5)) if abs(number) < 2**52 else number


def _date_rules(node: Node, kind: str) -> tuple[Rule, ...]:
    """Dates compare as moments; months, weeks and times as the text they are."""
    as_moment = kind in ("date", "datetime-local")
    rules: list[Rule] = []
    for name, sign in (("min", 1), ("max", -1)):
        limit = js_text(fixed_limit(node, name) or "")
        if not limit and as_moment and name == "max" and not node.values.get("maxValueExpression"):
            limit = LAST_DAY
        if not limit:
            continue
        shown = js_date(kind, parse_limit(kind, limit)) if as_moment else limit
        message = _limit_text(node, name, shown)
        rules.append(
            _moment_rule(kind, parse_limit(kind, limit), sign, message)
            if as_moment
            else _text_rule(limit, sign, message)
        )
    return tuple(rules)


def _moment_rule(kind: str, limit: dt.datetime, sign: int, message: Said) -> Rule:
    if sign > 0:
        return lambda value: message if parse(kind, value) < limit else None
    return lambda value: message if parse(kind, value) > limit else None


def _text_rule(limit: str, sign: int, message: Said) -> Rule:
    if sign > 0:
        return lambda value: message if value < limit else None
    return lambda value: message if value > limit else None


def _limit_text(node: Node, name: str, shown: str) -> Message:
    return Message(f"{name}Error", (shown,), node.values.get(f"{name}ErrorText"), fills_own=True)
