"""One question's place in the data: reads the answer, checks it, stores it.

What follows from the definition is worked out once, when the form is compiled; a check is a few calls. First
all answers are read, then conditions can be asked, then what shows is judged.
"""

from __future__ import annotations

import copy
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from appliance.domain.bounds import name_of
from appliance.domain.effort import Exhausted, size
from appliance.domain.element import Elements, Question
from appliance.domain.faults import Faults, token
from appliance.domain.logic import State
from appliance.domain.message import Message, Said
from appliance.domain.survey_core import COMMENT
from appliance.domain.values import is_blank, is_empty, js_length
from appliance.domain.view import View

if TYPE_CHECKING:
    from appliance.domain.computed import Prune
    from appliance.domain.nested import Nested
    from appliance.domain.offers import Offer
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
Rule = Callable[[Any], Said | None]
"""The message for a stored answer that breaks the rule."""
Validator = Callable[[Any, View], Said | None]
"""The same, for rules that ask other answers, or whose effort has to be taken from what is left."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all questions of a form share."""

    language: str
    """The one that it speaks where no other is asked for, by survey-core's name."""
    max_text: int
    max_comment: int
    store_others: bool
    clears: str
    """clearInvisibleValues: none, onComplete, onHidden or onHiddenContainer."""
    build: Callable[[Elements, Context], Scope]
    targets: frozenset[str] = frozenset()
    """Names in the data that triggers put values under."""
    shared: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Names in the data that several questions of this scope use; with the names that any of them has in the
    objects of its list, as when a dynamic panel asks more about each row of a matrix."""
    form: Mapping[str, Question] = field(default_factory=dict)
    """The questions of the form itself, by name."""
    siblings: Mapping[str, Question] = field(default_factory=dict)
    """Those of this scope."""
    givers: dict[tuple[str, int, int], Any] = field(default_factory=dict)
    """What questions offer of their choices, for those that they give them to."""
    depth: int = 0
    """0 for the form itself, more within matrices and panels."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What one type of question asks of its answer, in survey-core's order."""

    accept: Accept
    rules: tuple[Rule, ...] = ()
    on_empty: tuple[Callable[[], Said | None], ...] = ()
    """Rules that hold without an answer too, such as minSelectedChoices."""
    nested: Nested | None = None
    """The objects of answers within the answer."""
    on_asked: Rule | None = None
    """A rule of what must be answered, with or without an answer: enough rows."""
    by_view: Callable[[Any, View], Said | None] | None = None
    """The message for an answer, or none, that breaks a rule of choices, rows or columns with conditions."""
    prune: Prune | None = None
    """The answer without rows and columns that do not show; UNDEFINED where it stays."""
    offer: Offer | None = None
    """What shows of its choices, where that is not always all."""
    rows: Callable[[View], list[Any]] | None = None
    """The rows of a plain matrix that show, where that is not always all."""
    empty_answers: bool = False
    """Whether [] is an answer, of no rows."""
    unanswered: Any = None
    """What survey-core puts in the place of no answer: rows without anything in them."""
    needs_comment: Callable[[Any, object], bool] | None = None
    """Whether the stored answer asks for a comment, given the comment that came with it."""
    other_text: Said = ""


@dataclass(frozen=True, slots=True)
class Field:
    """A question with its checks."""

    question: Question
    checks: Checks
    validators: tuple[Validator, ...]
    required: Said
    """The message when there is no answer, if there must be one."""
    may_be_required: bool
    asks_nothing: bool
    """Whether a validator judges an answer that is not there: an expression does."""
    slot: int
    step: str = field(default="")

    @property
    def demands(self) -> bool:
        """Whether no answer can be wrong."""
        checks, nested = self.checks, self.checks.nested
        asked = self.may_be_required or checks.on_empty or checks.by_view or self.asks_nothing
        return bool(asked or (nested is not None and nested.demands)) and not self.question.exempt

    @property
    def speaks(self) -> bool:
        """Whether an answer can be wrong once its type is right."""
        checks = self.checks
        rules = (
            checks.rules
            or checks.by_view
            or checks.offer
            or checks.needs_comment
            or checks.nested
            or checks.on_empty
        )
        return bool(rules or self.validators or self.may_be_required) and not self.question.exempt

    def read(self, data: Mapping[str, Any], at: str, faults: Faults, out: dict[str, Any]) -> None:
        """Takes its answer from `data`, which stands at `at`, and puts what is stored into `out`."""
        key = self.question.key
        value = out[key] if key in out else data.get(key)
        if value is None or (not value and value is not False and value != 0) or is_empty(value):
            if value == [] and self.checks.empty_answers:
                out[key] = value
            elif value is None and self.checks.unanswered is not None:
                out[key] = copy.deepcopy(self.checks.unanswered)
            return
        path = at + self.step
        stored = self.checks.accept(value, path, faults)
        if stored is REFUSED:
            out.pop(key, None)
            faults.refused.add(path)
        elif not is_empty(stored) or self.checks.empty_answers:
            out[key] = stored

    def judge(self, data: Mapping[str, Any], at: str, view: View, state: State) -> None:
        """What survey-core says of the stored answer, if it shows and can be changed."""
        if not state.shown[self.slot]:
            return
        if state.locked[self.slot] or view.locked:
            self._judge_together(data, at + self.step, view)
            return
        path, faults = at + self.step, view.session.faults
        if faults.refused and path in faults.refused:
            return
        try:
            self._judge(data.get(self.question.key), data, path, view, state.asked[self.slot])
        except Exhausted:
            faults.add(path, TOO_LONG)

    def _judge_together(self, data: Mapping[str, Any], path: str, view: View) -> None:
        """survey-core looks for repeated keys in rows and panels that nobody can change, too."""
        nested = self.checks.nested
        if nested is not None and nested.after is not None and path not in view.session.faults.refused:
            nested.judge_together(data.get(self.question.key), path, view)

    def _judge(self, stored: Any, data: Mapping[str, Any], path: str, view: View, asked: bool) -> None:
        checks = self.checks
        rules = len(checks.rules) + len(self.validators)
        steps = size(stored) if rules else 0
        if steps > _SHORT:
            view.spend(steps * rules)
        if checks.nested is not None:
            checks.nested.judge(stored, path, view)
        found = self._broken(stored, data, view, asked)
        if self.validators and not found and (self.asks_nothing or not is_empty(stored)):
            found = [message for rule in self.validators if (message := rule(stored, view)) is not None]
        for message in found:
            view.session.faults.add(path, message)

    def _is_blank(self, stored: Any) -> bool:
        return is_blank(stored) or (self.question.kind == "paneldynamic" and not any(stored))

    def _broken(self, stored: Any, data: Mapping[str, Any], view: View, asked: bool) -> list[Said]:
        checks = self.checks
        found: list[Said | None] = [self.required] if asked and self._is_blank(stored) else []
        nothing = is_empty(stored) and not (stored == [] and checks.empty_answers)
        if checks.needs_comment is not None and not nothing:
            comment = data.get(self.question.key + COMMENT)
            found.append(checks.other_text if checks.needs_comment(stored, comment) else None)
        if checks.by_view is not None:
            found.append(checks.by_view(stored, view))
        if checks.offer is not None and not nothing:
            found.append(checks.offer.refused(stored, view))
        if asked and checks.on_asked is not None:
            found.append(checks.on_asked(stored))
        if nothing:
            found.extend(rule() for rule in checks.on_empty)
        else:
            for rule in checks.rules:
                found.append(rule(stored))  # noqa: PERF401 -- the usual answer has few, and a loop is quicker
        return [message for message in found if message is not None] if found else []


@dataclass(frozen=True, slots=True)
class CommentField:
    """The comment beside an answer: free text under its own name."""

    key: str
    limit: int

    def read(self, data: Mapping[str, Any], at: str, faults: Faults, out: dict[str, Any]) -> None:
        value = data.get(self.key)
        if value is None or value == "":
            return
        if not isinstance(value, str):
            faults.add(at + token(self.key), needs("a string", value))
        elif self.limit > 0 and js_length(value) > self.limit:
            faults.add(at + token(self.key), Message("textMaxLength", (self.limit,)))
        else:
            out[self.key] = value


def needs(what: str, value: object) -> str:
    return f"{what} is needed, not {name_of(value)}"


def refuse(faults: Faults, path: str, message: Said) -> Refused:
    faults.add(path, message)
    return REFUSED
