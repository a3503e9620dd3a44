"""Answers to text (every inputType) and comment questions."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any, Final

from appliance.domain.dates import KINDS, js_date, parse, parse_limit
from appliance.domain.element import Question
from appliance.domain.faults import Faults
from appliance.domain.field import Accept, Checks, Context, Rule, needs, refuse
from appliance.domain.node import Node
from appliance.domain.survey_core import TEXTS
from appliance.domain.validator import is_email
from appliance.domain.values import fill, js_length, js_text, to_number

NUMBERS: Final = frozenset({"number", "range"})
_LONG: Final = frozenset({"text", "email", "tel", "password", "url", "search"})
"""Types that have a maxLength."""


def input_type(node: Node) -> str:
    given = node.text("inputType").lower() or "text"
    return "datetime-local" if given in ("datetime", "datetime_local") else given


def text_checks(question: Question, context: Context) -> Checks:
    node = question.node
    kind = input_type(node)
    if kind in NUMBERS:
        return Checks(_accept_number, _number_rules(node, kind, context.locale))
    if kind in KINDS:
        return Checks(_accept_date(kind), _date_rules(node, kind, context.locale))
    if node.text("maskType") in ("numeric", "currency"):
        return Checks(_accept_masked)
    has_email_validator = any(one.kind == "emailvalidator" for one in node.nodes("validators"))
    rules: tuple[Rule, ...] = (_email,) if kind == "email" and not has_email_validator else ()
    return Checks(accept_text(_longest(node, context) if kind in _LONG else 0), rules)


def comment_checks(question: Question, context: Context) -> Checks:
    return Checks(accept_text(_longest(question.node, context)))


def accept_text(longest: int) -> Accept:
    """A string of at most `longest` UTF-16 units; 0 sets no limit."""

    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        if longest and js_length(value) > longest:
            return refuse(faults, path, fill(TEXTS["textMaxLength"], longest))
        return value

    return accept


def _longest(node: Node, context: Context) -> int:
    own = node.value("maxLength")
    return max(int(context.max_text if own is None or own < 0 else own), 0)


def _accept_number(value: Any, path: str, faults: Faults) -> object:
    number = to_number(value)
    return refuse(faults, path, TEXTS["numericError"]) if number is None else number


def _accept_masked(value: Any, path: str, faults: Faults) -> object:
    """A masked number is stored as a number, or as masked text under saveMaskedValue."""
    if isinstance(value, str) or to_number(value) is not None:
        return value
    return refuse(faults, path, needs("a number", value))


def _accept_date(kind: str) -> Accept:
    def accept(value: Any, path: str, faults: Faults) -> object:
        if not isinstance(value, str):
            return refuse(faults, path, needs("a string", value))
        try:
            parse(kind, value)
        except ValueError as fault:
            return refuse(faults, path, f"{TEXTS['invalidInputError']}: {fault}")
        return value

    return accept


def _email(value: Any) -> str | None:
    return None if is_email(value) else TEXTS["invalidEmail"]


def _number_rules(node: Node, kind: str, locale: str) -> tuple[Rule, ...]:
    low, high = to_number(node.value("min")), to_number(node.value("max"))
    rules: list[Rule] = []
    if low is not None:
        below = _limit_text(node, "min", locale, js_text(low))
        rules.append(lambda value: below if value < low else None)
    if high is not None:
        above = _limit_text(node, "max", locale, js_text(high))
        rules.append(lambda value: above if value > high else None)
    step = node.value("step")
    if kind == "number" and step is not None and step > 0:
        off = fill(node.text("stepErrorText", locale) or TEXTS["stepError"], step)
        rules.append(lambda value: off if _is_off_step(float(value), float(step)) else None)
    return tuple(rules)


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


def _date_rules(node: Node, kind: str, locale: str) -> tuple[Rule, ...]:
    """Dates compare as moments; months, weeks and times as the text they are."""
    as_moment = kind in ("date", "datetime-local")
    rules: list[Rule] = []
    for name, sign in (("min", 1), ("max", -1)):
        limit = node.text(name)
        if not limit:
            continue
        shown = js_date(kind, parse_limit(kind, limit)) if as_moment else limit
        message = _limit_text(node, name, locale, shown)
        rules.append(
            _moment_rule(kind, parse_limit(kind, limit), sign, message)
            if as_moment
            else _text_rule(limit, sign, message)
        )
    return tuple(rules)


def _moment_rule(kind: str, limit: dt.datetime, sign: int, message: str) -> Rule:
    if sign > 0:
        return lambda value: message if parse(kind, value) < limit else None
    return lambda value: message if parse(kind, value) > limit else None


def _text_rule(limit: str, sign: int, message: str) -> Rule:
    if sign > 0:
        return lambda value: message if value < limit else None
    return lambda value: message if value > limit else None


def _limit_text(node: Node, name: str, locale: str, shown: str) -> str:
    return fill(node.text(f"{name}ErrorText", locale) or TEXTS[f"{name}Error"], shown)
