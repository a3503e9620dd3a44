"""Objects of answers within an answer: rows of a matrix, panels, items of a multipletext."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from appliance.domain.effort import PART
from appliance.domain.faults import Faults, token
from appliance.domain.javascript import UNDEFINED
from appliance.domain.view import Json, PartView, View

if TYPE_CHECKING:
    from appliance.domain.computed import Change
    from appliance.domain.scope import Scope

_ROW_NAMES: Final = ("item", "rowname", "rowvalue", "rowtitle")
Step = str | int
Part = tuple[Step, "Scope", Json]


@dataclass(frozen=True, slots=True)
class Nested:
    """`prefix` is how expressions within name the object: `{row.x}`, `{panel.x}`."""

    prefix: str
    parts: Callable[[Any], list[Part]]
    """All that show for a stored answer, those too that were not sent."""
    gather: Callable[[list[Part]], Any]
    """The answer that these make."""
    demands: bool
    """Whether an object without answers can be wrong."""
    dynamic: bool
    """Whether there are values to compute within."""
    visible: Callable[[Step, View], bool] | None = None
    """Whether a row or panel shows, by its own condition."""
    after: Callable[[list[tuple[Step, Json]], str, Faults], None] | None = None
    """What all of them must keep to together: all rows, but only panels that show."""
    counted: Callable[[View], int] | None = None
    """How many there are without an answer, where the form names no number."""
    blank: Callable[[int], list[Part]] = lambda count: []
    """So many parts without answers."""
    locks: Callable[[Step, View], bool] | None = None
    """Whether a row cannot be changed, by its own condition."""
    every: Callable[[Any], list[Part]] = list
    """All rows of a matrix with fixed ones."""
    clears_fields: bool = False
    """Whether answers to what does not show are cleared within: survey-core keeps those in matrices."""

    def judge(self, stored: Any, path: str, view: View) -> None:
        faults = view.session.faults
        for (step, scope, values), inner in self.seen(stored, view):
            if faults.full:
                return
            if (values or scope.demands) and self._shows(step, inner):
                scope.judge(values, path + token(step) if self.prefix else path, inner)
        self.judge_together(stored, path, view)

    def judge_together(self, stored: Any, path: str, view: View) -> None:
        if self.after is None or stored is None:
            return
        parts = self.showing(stored, view) if self.clears_fields else self.all(stored, view)
        self.after([(step, values) for step, _, values in parts], path, view.session.faults)

    def all(self, stored: Any, view: View) -> list[Part]:
        if self.counted is not None and not stored:
            return self.blank(self.counted(view))
        return self.parts(stored)

    def seen(
        self,
        stored: Any,
        view: View,
        parts: list[Part] | None = None,
        *,
        locked: bool = False,
    ) -> Iterator[tuple[Part, View]]:
        """Each part with the view that its expressions have."""
        parts = self.all(stored, view) if parts is None else parts
        for place, part in enumerate(parts):
            view.spend(PART)
            yield part, self._view(place, parts, stored, view, locked=locked)

    def _view(self, place: int, parts: list[Part], stored: Any, view: View, *, locked: bool) -> View:
        if not self.prefix:
            return view
        step, scope, values = parts[place]
        before = parts[place - 1][2] if place else {}
        after = parts[place + 1][2] if place + 1 < len(parts) else {}
        own: dict[str, Any] = {f"prev{self.prefix}": before, f"next{self.prefix}": after}
        if self.prefix == "row":
            own |= {"rowindex": place + 1, "visiblerowindex": place + 1, "matrix": stored}
            own |= dict.fromkeys(_ROW_NAMES, step if isinstance(step, str) else None)
        else:
            own |= {"panelindex": place, "visiblepanelindex": place}
            if isinstance(view, PartView):
                own["parentpanel"] = view.values
        made = PartView(view, self.prefix, values, scope.names, own)
        made.locked = made.shut = locked or view.locked
        if self.locks is not None and not made.locked:
            made.locked = self.locks(step, made)
        return made

    def _shows(self, step: Step, inner: View) -> bool:
        return self.visible is None or self.visible(step, inner)

    def shows_any(self, stored: Any, view: View) -> bool:
        """Of all rows, those too that were not sent."""
        return any(self._shows(part[0], inner) for part, inner in self.seen(stored, view, self.every(stored)))

    def showing(self, stored: Any, view: View) -> list[Part]:
        """The rows or panels that show."""
        return [part for part, inner in self.seen(stored, view) if self._shows(part[0], inner)]

    def total(self, stored: Any, totals: Json, view: View) -> View:
        """What the expressions of totals see: `{matrix}` is what shows of it, `{row.x}` another total."""
        shown = stored if self.visible is None else self.gather(self.showing(stored, view))
        return PartView(view, self.prefix, totals, {}, {"matrix": shown})

    def finish(self, stored: Any, view: View, changes: list[Change], *, shown: bool) -> Any:
        """The answer without what does not show in it; UNDEFINED where it stays. `shown`: all of it."""
        if self.clears_fields:
            for (step, scope, values), inner in self.seen(stored, view):
                hidden = not (self._shows(step, inner) and scope.shows_any(inner))
                scope.finish(values, inner, changes, within_hidden=hidden, around_shows=shown)
            return UNDEFINED
        return UNDEFINED if self.visible is None else self.gather(self.showing(stored, view))
