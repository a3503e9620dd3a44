"""Which choices a question offers at the moment: those whose conditions hold, or another question's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.choices import (
    OTHER,
    choice_view,
    has_other,
    listed,
    special,
    stores_other_apart,
    values_of,
)
from appliance.domain.effort import PART
from appliance.domain.element import Question
from appliance.domain.evaluation import Run
from appliance.domain.field import Context
from appliance.domain.logic import condition, holds
from appliance.domain.message import Message, Said
from appliance.domain.node import Node
from appliance.domain.reference import Reference, reference
from appliance.domain.survey_core import COMMENT, is_a, properties
from appliance.domain.values import is_empty, same_key
from appliance.domain.view import View

Source = Callable[[View], Iterator[Any]]
"""The values that another question gives."""
LISTS: Final = frozenset({"matrixdynamic", "paneldynamic", "file"})
"""Questions whose answers are arrays of objects: one name of each is a choice."""
_OWN: Final = frozenset({
    "prevrow", "nextrow", "rowindex", "visiblerowindex", "matrix", "item", "rowname", "rowvalue", "rowtitle",
    "prevpanel", "nextpanel", "panelindex", "visiblepanelindex", "parentpanel",
})  # fmt: skip
"""Names that mean something else in a row or panel."""
MAX_CHAIN: Final = 10
"""Questions that take their choices one from another."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What shows of the choices of one question."""

    runs: dict[str, Run | None]
    """Its own choices, by what survey-core holds equal, each with its condition."""
    values: tuple[Any, ...]
    every: Run | None
    """choicesVisibleIf, for choices that another question gives."""
    source: Source | None
    same: tuple[str, ...]
    """What all have that are given the same choices; nothing where that depends on the row or panel."""
    given_by: str
    """The name in the data of the question that gives them."""
    always: frozenset[str]
    """What a question adds by itself: none, other and the like."""
    open: bool
    """Takes other values too."""
    wrapped: str
    """valuePropertyName."""

    def has(self, value: Any, view: View) -> bool:
        return self._has(value, view, self._given(view))

    def _given(self, view: View) -> frozenset[str]:
        """What another question gives, looked at once for all that it is given to. Raises Exhausted."""
        if self.source is None:
            return frozenset()
        known, key = view.session.offered, self.same
        if key and view.session.settled and key in known:
            return known[key]
        found = frozenset(map(same_key, self.shown(view)))
        if key and view.session.settled:
            known[key] = found
        return found

    def _has(self, value: Any, view: View, given: frozenset[str]) -> bool:
        key = same_key(value)
        if key in self.always or self.open:
            return True
        if self.source is not None:
            return key in given
        run = self.runs.get(key)
        return run is None or holds(run, choice_view(view, value))

    def shown(self, view: View) -> Iterator[Any]:
        """Without what a question adds by itself."""
        if self.source is not None:
            for value in self.source(view):
                if self.every is None or holds(self.every, choice_view(view, value)):
                    yield value
            return
        for value in self.values:
            run = self.runs.get(same_key(value))
            if run is None or holds(run, choice_view(view, value)):
                yield value

    def refused(self, stored: Any, view: View) -> Said | None:
        """The message for an answer whose choice does not show."""
        given = self._given(view)
        for item in stored if isinstance(stored, list) else [stored]:
            value = self._bare(item)
            if value is not None and not self._has(value, view, given):
                return Message("variableValueNotInChoices", (value,))
        return None

    def keep(self, stored: Any, view: View) -> Any:
        """The answer without choices that do not show."""
        given = self._given(view)
        if isinstance(stored, list):
            return [item for item in stored if self._has(self._bare(item), view, given)]
        return stored if self._has(self._bare(stored), view, given) else None

    def is_empty(self, view: View) -> bool:
        """hideIfChoicesEmpty: what a question adds counts only beside choices of another."""
        if self.source is not None and self.always:
            return False
        return next(self.shown(view), None) is None

    def _bare(self, item: Any) -> Any:
        return item.get(self.wrapped or "value") if isinstance(item, dict) else item


def offer(question: Question, context: Context, chain: int = 0) -> Offer | None:
    """None where every choice always shows."""
    node = question.node
    source = _source(question, context, chain)
    every = condition(node, "choicesVisibleIf") if "choicesVisibleIf" in properties(node.kind) else None
    own = [(item.values["value"], condition(item, "visibleIf") or every) for item in listed(node)]
    if source is None and all(run is None for _, run in own):
        return None
    is_open = bool(node.values.get("allowCustomChoices")) or question.key in context.shared
    return Offer(
        {same_key(value): run for value, run in own},
        tuple(values_of(node)),
        every,
        source,
        _same(question, context) if every is None else (),
        "" if source is None else _giver_key(question, context),
        frozenset(map(same_key, special(node))),
        is_open or (has_other(node) and not stores_other_apart(node, context)),
        node.text("valuePropertyName") if "valuePropertyName" in properties(node.kind) else "",
    )


def _same(question: Question, context: Context) -> tuple[str, ...]:
    node, found = question.node, giver(question, context)
    if found is None or node.text("choicesFromQuestion").lower() in _OWN or len(found[1].path) > 1:
        return ()
    names = ("choicesFromQuestionMode", "choiceValuesFromQuestion")
    return (found[0].node.path, *map(node.text, names), str(has_other(node)))


def _giver_key(question: Question, context: Context) -> str:
    found = giver(question, context)
    return "" if found is None else found[0].key


def giver(question: Question, context: Context) -> tuple[Question, Reference] | None:
    """The question that `choicesFromQuestion` names, if it can give any, and how to reach its answer."""
    name = question.node.text("choicesFromQuestion") if is_a(question.kind, "selectbase") else ""
    prefix, dot, rest = name.partition(".")
    found, path = context.form.get(name), ""
    if dot and prefix in ("panel", "row") and context.depth > 1:
        found, path = context.siblings.get(rest), prefix + "."
    if found is None or found.node.path == question.node.path:
        return None
    if not is_a(found.kind, "selectbase") and found.kind not in LISTS:
        return None
    return found, reference(path + found.key)


def _source(question: Question, context: Context, chain: int) -> Source | None:
    found = giver(question, context)
    if found is None or chain > MAX_CHAIN:
        return None
    other, at = found
    if other.kind in LISTS:
        return _listed_source(at, question.node.text("choiceValuesFromQuestion"))
    every = _every(other, context, chain)
    mode = question.node.text("choicesFromQuestionMode") or "all"
    if mode not in ("selected", "unselected"):
        return every
    return _taken_source(every, other, at, question.node, wanted=mode == "selected")


def _every(other: Question, context: Context, chain: int) -> Source:
    """All that another question offers; made once for all that it gives them to."""
    key = (other.node.path, context.depth, chain)
    if key not in context.givers:
        offered, values = offer(other, context, chain + 1), tuple(values_of(other.node))

        def every(view: View) -> Iterator[Any]:
            view.spend(PART * len(values))
            return iter(values) if offered is None else offered.shown(view)

        context.givers[key] = every
    made: Source = context.givers[key]
    return made


def _taken_source(every: Source, other: Question, at: Reference, node: Node, *, wanted: bool) -> Source:
    """Of the other question's choices those that were taken, or those that were not."""
    comment = reference(at.name + COMMENT)
    ranks_all = other.kind == "ranking" and not other.node.flag("selectToRankEnabled")
    gives_other = wanted and has_other(other.node) and not has_other(node)

    def source(view: View) -> Iterator[Any]:
        answer = view.find(at)
        view.spend(PART * len(answer) if isinstance(answer, list) else 0)
        taken = _taken(answer)
        for value in every(view):
            if (ranks_all or same_key(value) in taken) is wanted:
                yield value
        if gives_other and same_key(OTHER) in taken and not is_empty(view.find(comment)):
            yield OTHER

    return source


def _taken(answer: Any) -> set[str]:
    items = answer if isinstance(answer, list) else [answer]
    bare = (item.get("value") if isinstance(item, dict) else item for item in items)
    return {same_key(item) for item in bare if isinstance(item, str | int | float | bool)}


def _listed_source(at: Reference, name: str) -> Source:
    """One name of each row, panel or file; without one given, the first it has."""

    def source(view: View) -> Iterator[Any]:
        answer = view.find(at)
        view.spend(PART * len(answer) if isinstance(answer, list) else 0)
        for item in answer if isinstance(answer, list) else ():
            key = name or next(iter(item), "") if isinstance(item, dict) else ""
            value = item.get(key) if key else None
            if not is_empty(value):
                yield value

    return source
