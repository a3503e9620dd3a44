"""Values that a form fills in where nothing was answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.domain.comparison import is_empty
from appliance.domain.computed import accepted, put
from appliance.domain.evaluation import Run
from appliance.domain.field import Accept
from appliance.domain.javascript import UNDEFINED
from appliance.domain.logic import State
from appliance.domain.view import Json, View


@dataclass(frozen=True, slots=True)
class Default:
    """defaultValueExpression, where nothing was answered and nothing stood there before the first answer."""

    key: str
    value: Run
    at_first: Callable[[View], View]
    """The same place of a form without answers."""
    accept: Accept

    def run(self, values: Json, view: View, state: State) -> bool:
        if self.key in view.session.given or not is_empty(self.value(self.at_first(view))):
            return False
        return put(values, self.key, accepted(self.accept, self.value(view)))


@dataclass(frozen=True, slots=True)
class ShownDefault:
    """defaultValue where a panel or page around the question shows now, and did not before any answer."""

    key: str
    value: Any
    around: tuple[tuple[int, ...], ...]
    """For each panel or page, the slots of what may show in it."""
    first: Callable[[View], State]
    accept: Accept

    def run(self, values: Json, view: View, state: State) -> bool:
        if self.key in values or self.key in view.session.given or not self._appeared(view, state):
            return False
        return put(values, self.key, accepted(self.accept, self.value))

    def _appeared(self, view: View, state: State) -> bool:
        before = self.first(view)
        return any(
            any(state.shown[slot] for slot in slots) and not any(before.shown[slot] for slot in slots)
            for slots in self.around
        )


@dataclass(frozen=True, slots=True)
class PartDefault:
    """The default of a cell, or defaultValueExpression within rows, panels and items."""

    key: str
    value: Run
    accept: Accept
    offered: Callable[[Any, View], Any] | None = None
    """The value without choices that do not show."""

    def run(self, values: Json, view: View, state: State) -> bool:
        mark, filled = (id(values), self.key), view.session.filled
        if self.key in values and mark not in filled:
            return False
        value = accepted(self.accept, self.value(view))
        if self.offered is not None and value is not UNDEFINED:
            value = self.offered(value, view)
        if not put(values, self.key, value):
            return False
        filled.add(mark)
        return True
