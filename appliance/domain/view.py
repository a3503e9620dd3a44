"""Where names in expressions lead to: the answers of a form, seen from one place of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from appliance.domain.effort import Exhausted
from appliance.domain.faults import Faults
from appliance.domain.javascript import UNDEFINED
from appliance.domain.moment import Moment
from appliance.domain.reference import MISSING, Path, Reference, follow
from appliance.domain.survey_core import COMMENT

if TYPE_CHECKING:
    from appliance.domain.logic import State

Json = dict[str, Any]


_COMPOUND: Final = (list, dict)


class Known(NamedTuple):
    """A question as expressions know it."""

    key: str
    """Its name in the data."""
    wrapped: str = ""
    """valuePropertyName: expressions see the values, not the objects around them."""
    many: bool = False
    """Its answer is an array, and [] where there is none."""
    ordered: bool = False
    """A ranking."""
    table: bool = False
    """A plain matrix or a multipletext: its name leads nowhere while there is no answer."""
    panels: bool = False
    """A dynamic panel: nothing but empty panels is no answer."""


Names = Mapping[str, Known]
"""By the name in the data, in lower case."""


@dataclass(slots=True)
class Session:
    """What all views of one response share."""

    now: Moment
    faults: Faults
    settled: bool = False
    """Whether no value changes any more."""
    final: bool = False
    """All is judged: hidden matrices get their rows too, as survey-core makes them to clear them."""
    given: frozenset[str] = frozenset()
    """Names of the answers that came in."""
    offered: dict[tuple[str, ...], frozenset[str]] = field(default_factory=dict)
    """What questions give others as choices, once nothing changes any more."""
    first: State | None = None
    """What shows of the form before the first answer, once somebody asked."""
    filled: set[tuple[int, str]] = field(default_factory=set)
    """Objects of answers within answers, by id, and the names in them that a default was put under."""
    variables: Json = field(default_factory=dict)
    """Calculated values, by name in lower case."""


class View(Protocol):
    """A scope for `evaluation`."""

    session: Session
    state: State | None
    shut: bool
    locked: bool
    values: Json

    @property
    def now(self) -> Moment: ...

    def find(self, name: Reference) -> Any: ...

    def is_ordered(self, name: str) -> bool: ...

    def within(self, item: Any) -> View: ...

    def comment(self, name: str) -> Any: ...

    @property
    def language(self) -> str: ...

    def spend(self, steps: int) -> None: ...


class _Shared:
    __slots__ = ("locked", "session", "shut", "state")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.locked = False
        """In a matrix, row or dynamic panel that nobody can change."""
        self.shut = False
        """In a matrix or dynamic panel of which that is so, whatever a row's own condition says."""
        self.state: State | None = None
        """What shows, once nothing changes any more."""

    @property
    def now(self) -> Moment:
        return self.session.now

    @property
    def language(self) -> str:
        return self.session.faults.language or "en"

    def spend(self, steps: int) -> None:
        if not self.session.faults.spend(steps):
            raise Exhausted

    def within(self, item: Any) -> View:
        return ItemView(self, item)  # type: ignore[arg-type]


class FormView(_Shared):
    """From the form itself."""

    __slots__ = ("names", "values")

    def __init__(self, session: Session, values: Json, names: Names) -> None:
        super().__init__(session)
        self.values, self.names = values, names

    def find(self, name: Reference) -> Any:
        values = self.values
        if name.simple in values and not self.session.variables:
            simple = values[name.simple]
            if type(simple) not in _COMPOUND:
                return simple
        if self.session.variables:
            found = follow(name.path, self.session.variables)
            if found is not MISSING:
                return found
        return look_up(name.path, self.values, self.names)

    def is_ordered(self, name: str) -> bool:
        return _ranks(name, self.names)

    def comment(self, name: str) -> Any:
        known = self.names.get(name.lower())
        return "" if known is None else self.values.get(known.key + COMMENT, "")


def _ranks(name: str, names: Names) -> bool:
    known = names.get(name.lower())
    return known is not None and known.ordered


def look_up(path: Path, values: Json, names: Names) -> Any:
    """An answer; UNDEFINED for a question that has none; a choice with its comment is the choice."""
    found = follow(path, values)
    if len(path) != 1 or (path[0][1] is not None and found is not MISSING):
        return found
    known = names.get(path[0][0].lower())
    if known is None:
        return found
    if found is MISSING:
        return [] if known.many else (MISSING if known.table else UNDEFINED)
    if isinstance(found, dict):
        return found["value"] if found.keys() == {"value", "comment"} else found
    if not isinstance(found, list):
        return found
    if known.panels and not any(found):
        return UNDEFINED
    return [item.get(known.wrapped) for item in found] if known.wrapped else found


class ItemView(_Shared):
    """An object's own names before all others: the condition of sumInArray and the like."""

    __slots__ = ("item", "outer", "values")

    def __init__(self, outer: View, item: Any) -> None:
        super().__init__(outer.session)
        self.outer, self.item, self.values = outer, item, outer.values

    def find(self, name: Reference) -> Any:
        found = follow(name.path, self.item)
        return self.outer.find(name) if found is MISSING else found

    def is_ordered(self, name: str) -> bool:
        return self.outer.is_ordered(name)

    def comment(self, name: str) -> Any:
        return self.outer.comment(name)


class PartView(_Shared):
    """From a row of a matrix or a panel of a dynamic panel: `{row.x}`, `{panel.x}`, and what `own` names."""

    __slots__ = ("names", "outer", "own", "prefix", "values")

    def __init__(self, outer: View, prefix: str, values: Json, names: Names, own: Mapping[str, Any]) -> None:
        super().__init__(outer.session)
        self.outer, self.prefix, self.values, self.names, self.own = outer, prefix, values, names, own

    def find(self, name: Reference) -> Any:
        path = name.path
        first = path[0][0].lower()
        if len(path) == 1:
            found = self.own.get(first, MISSING) if path[0][1] is None else MISSING
        elif first == self.prefix:
            found = look_up(path[1:], self.values, self.names)
        elif first in self.own:
            found = follow(path[1:], self.own[first])
            return UNDEFINED if found is MISSING else found
        else:
            found = MISSING
        return self.outer.find(name) if found is MISSING else found

    def is_ordered(self, name: str) -> bool:
        prefix, dot, rest = name.partition(".")
        if dot and prefix.lower() == self.prefix:
            return _ranks(rest, self.names)
        return self.outer.is_ordered(name)

    def comment(self, name: str) -> Any:
        return self.outer.comment(name)
