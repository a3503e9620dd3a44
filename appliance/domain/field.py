"""One question's place in the data: reads the answer, checks it, stores it.

What follows from the definition is worked out once, when the form is compiled; a check is a few calls.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from appliance.domain.bounds import name_of
from appliance.domain.effort import size
from appliance.domain.element import Elements, Question
from appliance.domain.faults import Faults, token
from appliance.domain.survey_core import COMMENT, TEXTS
from appliance.domain.values import fill, is_blank, is_empty, js_length

if TYPE_CHECKING:
    from appliance.domain.scope import Scope


class Refused(enum.Enum):
    TOKEN = 0


REFUSED: Final = Refused.TOKEN
"""The answer was not taken; a fault says why."""
TOO_LONG: Final = "too long to be matched with this question's pattern and rules; shorten it"
_SHORT: Final = 200
"""Steps of an answer whose rules are not worth counting."""

Accept = Callable[[Any, str, Faults], object]
"""Checks the type of an answer that is not empty; gives it as stored, or adds a fault and gives REFUSED."""
Rule = Callable[[Any], str | None]
"""The message for a stored answer that breaks the rule."""
Validator = Callable[[Any, Faults], str | None]
"""The same, for rules whose effort has to be taken from what is left."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all questions of a form share."""

    locale: str
    max_text: int
    max_comment: int
    store_others: bool
    build: Callable[[Elements, Context], Scope]
    shared: frozenset[str] = frozenset()
    """Names in the data that several questions of this scope use."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What one type of question asks of its answer, in survey-core's order."""

    accept: Accept
    rules: tuple[Rule, ...] = ()
    on_empty: tuple[Callable[[], str | None], ...] = ()
    """Rules that hold without an answer too, such as minSelectedChoices."""
    when_empty: Any = None
    """What `accept` looks at when there is no answer: {} or [] where parts of the answer are required."""
    empty_answers: bool = False
    """Whether [] is an answer, of no rows, and only its absence makes for `when_empty`."""
    needs_comment: Callable[[Any, object], bool] | None = None
    """Whether the stored answer asks for a comment, given the comment that came with it."""
    other_text: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A question with its checks."""

    question: Question
    checks: Checks
    validators: tuple[Validator, ...]
    required: str | None
    """The message when there is no answer, if there must be one."""
    step: str = field(default="")

    @property
    def demands(self) -> bool:
        """Whether no answer can be wrong."""
        checks = self.checks
        asked = self.required is not None or checks.on_empty or checks.when_empty is not None
        return bool(asked) and not self.question.lenient

    def check(self, data: Mapping[str, Any], at: str, faults: Faults, out: dict[str, Any]) -> None:
        """Reads its answer from `data`, which stands at `at`, and puts what is stored into `out`."""
        key = self.question.key
        value = out[key] if key in out else data.get(key)
        if value is None or (not value and value is not False and value != 0) or is_empty(value):
            if value == [] and self.checks.empty_answers:
                out[key] = value
            self._check_nothing(value, at + self.step, faults)
            return
        path = at + self.step
        checks = self.checks
        stored = checks.accept(value, path, faults)
        if stored is REFUSED:
            out.pop(key, None)
            return
        if not is_empty(stored):
            out[key] = stored
        if not self.question.lenient:
            self._judge(stored, data, path, faults)

    def _judge(self, stored: Any, data: Mapping[str, Any], path: str, faults: Faults) -> None:
        rules = len(self.checks.rules) + len(self.validators)
        steps = size(stored) if rules else 0
        if steps > _SHORT and not faults.spend(steps * rules):
            faults.add(path, TOO_LONG)
            return
        found = [self.required] if self.required is not None and is_blank(stored) else []
        checks = self.checks
        if checks.needs_comment is not None and checks.needs_comment(
            stored, data.get(self.question.key + COMMENT)
        ):
            found.append(checks.other_text)
        for rule in checks.rules:
            message = rule(stored)
            if message is not None:
                found.append(message)
        if not found:
            found = [message for rule in self.validators if (message := rule(stored, faults)) is not None]
        for message in found:
            faults.add(path, message)

    def _check_nothing(self, value: object, path: str, faults: Faults) -> None:
        if self.question.lenient:
            return
        if self.required is not None:
            faults.add(path, self.required)
        for rule in self.checks.on_empty:
            message = rule()
            if message is not None:
                faults.add(path, message)
        if self.checks.when_empty is not None and not (self.checks.empty_answers and value == []):
            self.checks.accept(self.checks.when_empty, path, faults)


@dataclass(frozen=True, slots=True)
class CommentField:
    """The comment beside an answer: free text under its own name."""

    key: str
    limit: int

    def check(self, data: Mapping[str, Any], at: str, faults: Faults, out: dict[str, Any]) -> None:
        value = data.get(self.key)
        if value is None or value == "":
            return
        if not isinstance(value, str):
            faults.add(at + token(self.key), needs("a string", value))
        elif self.limit > 0 and js_length(value) > self.limit:
            faults.add(at + token(self.key), fill(TEXTS["textMaxLength"], self.limit))
        else:
            out[self.key] = value


def needs(what: str, value: object) -> str:
    return f"{what} is needed, not {name_of(value)}"


def refuse(faults: Faults, path: str, message: str) -> Refused:
    faults.add(path, message)
    return REFUSED
