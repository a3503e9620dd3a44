"""Which elements show, may be changed and must be answered: the conditions of one object of answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from appliance.domain.element import Elements, Group, Question, is_hidden, is_read_only
from appliance.domain.evaluation import Run, compile_text
from appliance.domain.javascript import loosely_same, text_of
from appliance.domain.node import Node
from appliance.domain.survey_core import is_a, properties
from appliance.domain.values import to_number

_STEPS: Final = 20
"""What one condition costs of a response's effort."""


class State(NamedTuple):
    """By slot."""

    own: list[bool]
    """Whether it shows if all around it does."""
    shown: list[bool]
    locked: list[bool]
    """Read-only: survey-core does not validate what nobody can change."""
    asked: list[bool]


class Switch(NamedTuple):
    """A trigger of type `visible`."""

    run: Run
    uses: frozenset[str]
    """It has been asked once one of these names, in lower case, has an answer; always, if there are none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One element. `parent` is the slot of the panel around it, -1 at the top."""

    parent: int
    visible: bool
    locked: bool
    required: bool
    visible_if: Run | None = None
    enable_if: Run | None = None
    required_if: Run | None = None

    @property
    def is_fixed(self) -> bool:
        return self.visible_if is None and self.enable_if is None and self.required_if is None


@dataclass(slots=True)
class Logic:
    """The elements of one object of answers in the form's order, those around before those within."""

    rules: list[Rule] = field(default_factory=list)
    slots: dict[str, int] = field(default_factory=dict)
    """By the path of the element in the definition."""
    also: dict[int, Callable[[Any], bool]] = field(default_factory=dict)
    """What else has to hold for an element to show, by slot: it has choices, its choice is taken."""
    switched: dict[int, list[Switch]] = field(default_factory=dict)
    """What triggers show and hide, by slot."""
    fixed: State | None = None
    """The state whatever is answered, if no condition can change it."""

    def state(self, view: Any) -> State:
        if self.fixed is not None:
            return self.fixed
        if not view.session.settled:
            return self.evaluate(view)
        if view.state is None:
            view.state = self.evaluate(view)
        found: State = view.state
        return found

    def settle(self) -> None:
        if not self.also and not self.switched and all(rule.is_fixed for rule in self.rules):
            self.fixed = self.evaluate(None)

    def evaluate(self, view: Any) -> State:
        """visibleIf and requiredIf hold where they give true, enableIf locks where it gives false."""
        state = State([], [], [], [])
        names = self._names(view) if self.switched else frozenset()
        for slot, rule in enumerate(self.rules):
            visible = rule.visible if rule.visible_if is None else ask(rule.visible_if, view) is True
            locked = rule.locked if rule.enable_if is None else ask(rule.enable_if, view) is False
            asked = rule.required if rule.required_if is None else ask(rule.required_if, view) is True
            if slot in self.switched and rule.visible_if is None:
                visible = self._switch(slot, visible, view, names)
            if visible and slot in self.also:
                visible = self.also[slot](view)
            state.own.append(visible)
            if rule.parent >= 0:
                visible = visible and state.shown[rule.parent]
                locked = locked or state.locked[rule.parent]
            state.shown.append(visible)
            state.locked.append(locked)
            state.asked.append(asked)
        return state

    def _names(self, view: Any) -> frozenset[str]:
        """What has an answer or a value."""
        return frozenset((*(name.lower() for name in view.values), *view.session.variables))

    def _switch(self, slot: int, visible: bool, view: Any, names: frozenset[str]) -> bool:
        for one in self.switched[slot]:
            if not one.uses or not one.uses.isdisjoint(names):
                visible = ask(one.run, view) is True
        return visible

    def place(self, node: Node, around: tuple[Node, ...], exempt: bool) -> int:
        """The slot of an element."""
        parent = self.place(around[-1], around[:-1], exempt) if around else -1
        if node.path not in self.slots:
            self.slots[node.path] = len(self.rules)
            self.rules.append(_rule(node, parent, exempt))
        return self.slots[node.path]


def ask(run: Run, view: Any) -> Any:
    """What an expression gives there; it costs effort. Raises Exhausted."""
    view.spend(_STEPS)
    return run(view)


def build_logic(elements: Elements) -> Logic:
    """Not settled: what else has to hold may be added first."""
    made = Logic()
    everything: tuple[Question | Group, ...] = (*elements.questions, *elements.groups)
    for one in everything:
        made.place(one.node, one.around, one.exempt)
    return made


def _rule(node: Node, parent: int, exempt: bool) -> Rule:
    if is_a(node.kind, "itemvalue"):  # a choice with questions in it
        return Rule(parent, visible=True, locked=exempt, required=False)
    can_be_required = "isRequired" in properties(node.kind)
    return Rule(
        parent,
        not is_hidden(node),
        exempt or is_read_only(node),
        can_be_required and node.flag("isRequired"),
        condition(node, "visibleIf"),
        None if exempt else condition(node, "enableIf"),
        condition(node, "requiredIf"),
    )


def condition(node: Node, name: str) -> Run | None:
    text = node.values.get(name)
    return compile_text(text) if isinstance(text, str) and text else None


def count_of(run: Run, view: Any, least: int, most: int) -> int:
    """getItemCountByExpressionValue: of panels or rows; what is no number is 0."""
    return bounded(ask(run, view), least, most)


def bounded(value: Any, least: int, most: int) -> int:
    """As a count: what is no number is 0."""
    number = to_number(value) if isinstance(value, str | int | float) else None
    whole = int(number) if number is not None and math.isfinite(number) else 0
    return min(max(whole, least), most)


def holds(run: Run, view: Any) -> bool:
    """ConditionRunner: `result == true`, as JavaScript compares; for choices, rows and validators."""
    found = ask(run, view)
    return loosely_same(text_of(found) if isinstance(found, list | dict) else found, True)
