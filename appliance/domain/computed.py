"""Values that the server computes from the answers, and answers that go because they do not show.

survey-core runs all expressions in the form's order, and anew while one of them changed a value, at most ten
times more; so do we.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from appliance.domain.comparison import is_empty, looks_numeric, rounded
from appliance.domain.evaluation import Run
from appliance.domain.faults import Faults
from appliance.domain.field import REFUSED, Accept
from appliance.domain.javascript import UNDEFINED, tidy
from appliance.domain.logic import State, count_of
from appliance.domain.moment import Moment
from appliance.domain.nested import Nested
from appliance.domain.view import Json, View


class Maker(Protocol):
    @property
    def key(self) -> str:
        """The name in the data that it computes."""

    def run(self, values: Json, view: View, state: State) -> bool:
        """Puts what it computes into `values`. Whether something changed."""


def put(values: Json, key: str, value: Any, *, copies: bool = True) -> bool:
    """Whether that changed anything. NaN is seen by other expressions, though it is never stored."""
    if is_empty(value) and not isinstance(value, float):
        return values.pop(key, None) is not None
    if key in values and _same(values[key], value):
        return False
    values[key] = copy.deepcopy(value) if copies and isinstance(value, list | dict) else value
    return True


def accepted(accept: Accept, value: Any) -> Any:
    """A value as a question stores it; UNDEFINED for none, and for what the question does not take."""
    if isinstance(value, Moment):
        value = stored(value)[:10] if value.parts() else UNDEFINED
    if is_empty(value) or (isinstance(value, float) and not math.isfinite(value)):
        return UNDEFINED
    found = accept(value, "", Faults())
    return UNDEFINED if found is REFUSED else found


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, Moment) and isinstance(right, Moment):
        return left.at == right.at
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return type(left) is type(right) and bool(left == right)


@dataclass(frozen=True, slots=True)
class Calculation:
    """A question of type `expression`, or such a cell. survey-core does not compute a read-only question; a
    cell it does as soon as the row is made, unless nobody can change the matrix."""

    key: str
    slot: int
    value: Run
    precision: int
    role: str = ""
    """Nobody opened the detail panel of a row without answers, or a choice that was not taken."""

    def run(self, values: Json, view: View, state: State) -> bool:
        locked = view.shut if self.role == "cell" else state.locked[self.slot] or view.locked
        if locked or (self.role == "detail" and not values):
            return False
        if self.role == "opened" and not state.shown[self.slot]:
            return False
        found = self.value(view)
        if self.precision >= 0 and looks_numeric(found):
            found = rounded(found, self.precision)
        return put(values, self.key, UNDEFINED if found == math.inf else found)


@dataclass(frozen=True, slots=True)
class Trimming:
    """Choices that do not show go where nobody can mend the answer; elsewhere they are refused.

    survey-core drops them where it validates (`clears`), and where a choice showed before the first answer.
    """

    key: str
    slot: int
    keep: Callable[[Any, View], Any]
    clears: bool
    at_first: Callable[[View], View | None]

    def run(self, values: Json, view: View, state: State) -> bool:
        locked, shown = state.locked[self.slot] or view.locked, state.shown[self.slot]
        if self.key not in values or (shown and not locked):
            return False
        new = self.keep(values[self.key], view)
        if (shown and self.clears) or new == values[self.key] or self._showed(values[self.key], new, view):
            return put(values, self.key, new)
        return False

    def _showed(self, answer: Any, new: Any, view: View) -> bool:
        first = self.at_first(view)
        return first is not None and self.keep(answer, first) != new


@dataclass(frozen=True, slots=True)
class Counting:
    """panelCountExpression and rowCountExpression: the answer has so many panels, and no more rows than that.

    survey-core, too, makes no rows beside those that came.
    """

    key: str
    count: Run
    least: int
    most: int
    at_first: int | None
    """How many panels there are before anything is answered; None for rows. Panels that were not sent are put
    there, empty, once their number changes."""

    def run(self, values: Json, view: View, state: State) -> bool:
        count = count_of(self.count, view, self.least, self.most)
        given = values.get(self.key) or []
        missing = count - len(given)
        if missing == 0 or (missing > 0 and self.at_first is None) or (not given and count == self.at_first):
            return False
        view.spend(abs(missing))
        if count == 0:
            values.pop(self.key, None)
        else:
            values[self.key] = [*given[:count], *({} for _ in range(missing))]
        return True


@dataclass(frozen=True, slots=True)
class Within:
    """What is computed in the rows of a matrix or the panels of a dynamic panel, and the matrix's totals."""

    key: str
    slot: int
    nested: Nested
    totals: tuple[tuple[str, Run], ...] = ()
    totals_key: str = ""

    def run(self, values: Json, view: View, state: State) -> bool:
        if self.nested.prefix == "row" and not state.shown[self.slot] and not view.session.final:
            return False  # survey-core makes no rows before they show
        given = values.get(self.key)
        parts = self.nested.all(given, view)
        locked = state.locked[self.slot]
        seen = self.nested.seen(given, view, parts, locked=locked)
        changed = [part[1].compute(part[2], inner) for part, inner in seen if part[1].dynamic]
        if any(changed):
            values[self.key] = self.nested.gather(parts)
        return self._total(values, view) or any(changed)

    def _total(self, values: Json, view: View) -> bool:
        """Those of what was answered; survey-core keeps none beside a matrix without an answer."""
        if not self.totals:
            return False
        given = values.get(self.key)
        found = dict(values.get(self.totals_key) or {})
        inner = self.nested.total(given, found, view)
        for column, run in self.totals:
            put(found, column, run(inner))
        return put(values, self.totals_key, found if given else UNDEFINED)


@dataclass(frozen=True, slots=True)
class Hiding:
    """clearInvisibleValues onHidden: what does not show loses its answer at once, and others may see it."""

    key: str
    slot: int
    comment: str
    by_container: bool

    def run(self, values: Json, view: View, state: State) -> bool:
        gone = not state.shown[self.slot] if self.by_container else not state.own[self.slot]
        if not gone:
            return False
        values.pop(self.comment, None)
        return values.pop(self.key, None) is not None


class Prune(Protocol):
    def __call__(self, stored: Any, view: View, changes: list[Change], /, *, shown: bool) -> Any: ...


class Change(NamedTuple):
    """What is to be done when all is known: conditions see the answers as they were."""

    values: Json
    key: str
    new: Any = UNDEFINED
    """UNDEFINED: nothing any more."""
    root: str = ""
    """The name of the answer that this is within."""

    def make(self) -> bool:
        """Whether that changed anything."""
        return put(self.values, self.key, self.new)


@dataclass(frozen=True, slots=True)
class Clearing:
    """What is done to one answer at the end."""

    key: str
    slot: int
    beside: tuple[str, ...]
    """Names that go with it: its comment, its totals."""
    clears: bool
    """False under clearIfInvisible `none`."""
    prune: Prune | None
    """The answer without what does not show within it, or UNDEFINED; it may add changes of its own."""
    other: Callable[[Any], bool] | None
    """Whether an answer is `other`, so that its comment is kept."""
    opened_by: str = ""
    """The answer whose choice it stands in: it goes with that, and stays where there is none."""


def stored(value: Any) -> Any:
    """A computed value as JSON has it; half an emoji, cut off by an expression, as U+FFFD."""
    if isinstance(value, str):
        whole = value.isascii() or value.isprintable()
        return value if whole else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Moment):
        parts = value.parts()
        if parts is None:
            return None
        clock = f"{parts.hour:02d}:{parts.minute:02d}:{parts.second:02d}.{int(value.at % 1000):03d}"
        return f"{parts.year:04d}-{parts.month:02d}-{parts.day:02d}T{clock}Z"
    if isinstance(value, list):
        return [stored(item) for item in value]
    if isinstance(value, dict):
        found = {name: stored(item) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not None}
    if isinstance(value, float):
        return tidy(value) if math.isfinite(value) else None
    return None if value is UNDEFINED else value
