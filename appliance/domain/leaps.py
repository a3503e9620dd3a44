"""Pages that nobody was asked to fill in: triggers `complete` and `skip` went past them.

survey-core asks these triggers when a page is left, with the answers up to there; the first page where one
holds is where it acts. What lies between is judged like what is read-only: an answer is held to its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from appliance.domain.calculated import CalculatedValue
from appliance.domain.element import Elements
from appliance.domain.evaluation import Run
from appliance.domain.javascript import truthy
from appliance.domain.logic import Logic, State, ask
from appliance.domain.node import Node
from appliance.domain.triggers import Asked, asked, trigger_expression
from appliance.domain.values import js_text
from appliance.domain.view import FormView


@dataclass(frozen=True, slots=True)
class Leap:
    """One trigger. Pages count from 0."""

    run: Run
    on: tuple[int, ...]
    """The pages it is asked on: those with a question that it names; all, for a calculated value."""
    until: int
    """The page that it leads to; the number of pages when it ends the form."""


@dataclass(frozen=True, slots=True)
class Leaps:
    """All of a form's, and where things stand."""

    found: tuple[Leap, ...]
    pages: Mapping[str, int]
    """By the name of an answer, the first page that has a question of this name."""
    calculations: tuple[CalculatedValue, ...]
    """They belong to every page."""
    slots: tuple[int, ...]
    """The page of each slot."""
    doors: tuple[int, ...]
    """The slot of each page."""

    def over(self, view: FormView, state: State) -> State:
        """The state with all that was passed over locked."""
        passed = {page for leap in self.found for page in self._passed(leap, view, state)}
        if not passed:
            return state
        locked = [was or self.slots[slot] in passed for slot, was in enumerate(state.locked)]
        return state._replace(locked=locked)

    def _passed(self, leap: Leap, view: FormView, state: State) -> range:
        for page in leap.on:
            if not state.shown[self.doors[page]]:
                continue
            known = {name: value for name, value in view.values.items() if self.pages.get(name, -1) <= page}
            known.setdefault("pageno", sum(state.shown[door] for door in self.doors[: page + 1]))
            if truthy(self._ask(leap, FormView(view.session, known, view.names))):
                return range(page + 1, leap.until)
        return range(0)

    def _ask(self, leap: Leap, view: FormView) -> Any:
        """With the calculated values as they were then."""
        if not self.calculations:
            return ask(leap.run, view)
        session = view.session
        later, session.variables = session.variables, {}
        try:
            for one in self.calculations:
                one.run(view)
            return ask(leap.run, view)
        finally:
            session.variables = later


def leaps(
    survey: Node, elements: Elements, logic: Logic, calculations: tuple[CalculatedValue, ...]
) -> Leaps | None:
    """None for a form of one page, or without such triggers."""
    nodes = survey.nodes("pages")
    doors = tuple(logic.slots[page.path] for page in nodes if page.path in logic.slots)
    if len(doors) < max(len(nodes), 2):
        return None
    slots = _pages_of_slots(logic, doors)
    pages: dict[str, int] = {}
    for one in elements.questions:
        pages.setdefault(one.key, slots[logic.slots[one.node.path]])
    ends = _ends(survey.nodes("triggers"), elements, logic, slots, len(doors))
    found = tuple(Leap(one.run, _on(one, pages, calculations, len(doors)), until) for one, until in ends)
    if not found:
        return None
    logic.fixed = None  # what is locked depends on the answers
    return Leaps(found, pages, calculations, slots, doors)


def _pages_of_slots(logic: Logic, doors: tuple[int, ...]) -> tuple[int, ...]:
    numbers = {slot: number for number, slot in enumerate(doors)}
    found: list[int] = []
    for slot, rule in enumerate(logic.rules):  # what is around comes before what is within
        found.append(numbers[slot] if slot in numbers else found[rule.parent])
    return tuple(found)


def _ends(
    triggers: list[Node], elements: Elements, logic: Logic, slots: tuple[int, ...], count: int
) -> Iterator[tuple[Asked, int]]:
    pages = {one.name: slots[logic.slots[one.node.path]] for one in elements.questions}
    for one in triggers:
        until = count if one.kind == "completetrigger" else None
        if one.kind == "skiptrigger":
            until = pages.get(js_text(one.values.get("gotoName", "")))
        condition = asked(trigger_expression(one)) if until is not None else None
        if until is not None and condition is not None:
            yield condition, until


def _on(
    one: Asked, pages: Mapping[str, int], calculations: tuple[CalculatedValue, ...], count: int
) -> tuple[int, ...]:
    if one.always or any(value.name.lower() in one.uses for value in calculations):
        return tuple(range(count))
    return tuple(sorted({page for name, page in pages.items() if name.lower() in one.uses}))
