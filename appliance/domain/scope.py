"""One object of answers: the whole data of a form, a row of a matrix, a panel of a dynamic panel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.domain.comparison import is_empty as nothing
from appliance.domain.computed import Change, Clearing, Maker, put
from appliance.domain.effort import PART, breadth
from appliance.domain.faults import Faults, token
from appliance.domain.field import CommentField, Field, needs
from appliance.domain.javascript import UNDEFINED
from appliance.domain.logic import Logic, State
from appliance.domain.message import Said
from appliance.domain.triggers import Setter
from appliance.domain.values import is_blank
from appliance.domain.view import Known, Names, View

SHARED: Final = "too long for so many questions of one valueName; shorten it"


@dataclass(frozen=True, slots=True)
class RequiredGroup:
    """A panel or a page in which at least one question that shows has to be answered."""

    slot: int
    members: tuple[tuple[Known, int, bool], ...]
    """Each question below it, its slot, and whether it can be answered."""
    message: Said


@dataclass(frozen=True, slots=True)
class Scope:
    """The fields of one object of answers, and what else may stand in it.

    A check costs what was sent, not what could have been: fields without an answer are looked at only if they
    demand one.
    """

    by_key: Mapping[str, tuple[Field | CommentField, ...]]
    speaking: Mapping[str, tuple[Field, ...]]
    """Those of them that may say something of an answer of the right type."""
    demanding: tuple[Field, ...]
    filled: tuple[Field, ...]
    """Those that have something in the place of no answer."""
    carrying: tuple[Field, ...]
    """Those that have their choices from another question."""
    groups: tuple[RequiredGroup, ...]
    computed: frozenset[str]
    voiceless: frozenset[str]
    names: Names
    logic: Logic
    makers: tuple[Maker, ...]
    """What computes values, in the form's order."""
    clearing: tuple[Clearing, ...]
    """What may have to go at the end."""
    setters: tuple[Setter, ...]
    """What is set anew when an answer has gone."""

    fields: Mapping[str, Field]
    """The first of each name."""
    slots: tuple[int, ...]
    """Of all questions in it."""

    @property
    def demands(self) -> bool:
        """Whether an empty object of answers can be wrong."""
        return bool(self.demanding or self.groups)

    @property
    def dynamic(self) -> bool:
        """Whether something in it is computed."""
        return bool(self.makers)

    def read(
        self, data: object, at: str, faults: Faults, beside: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """The answers as stored. Adds a fault for all that does not belong there. What `beside` names another
        question holds in the same objects; it is left as it is."""
        if not isinstance(data, dict):
            faults.add(at, needs("an object", data))
            faults.refused.add(at)
            return {}
        out: dict[str, Any] = {}
        for name in data:
            fields = self.by_key.get(name)
            if fields is not None:
                if len(fields) > 1 and not _is_affordable(data[name], len(fields) - 1, faults):
                    faults.refused.add(at + token(name))
                    faults.add(at + token(name), SHARED)
                    continue
                for field in fields:
                    field.read(data, at, faults, out)
            elif name in beside and name not in self.computed:
                out[name] = data[name]
            elif name not in self.computed and at + token(name) not in faults.refused:
                faults.refused.add(at + token(name))
                faults.add(at + token(name), self._unknown(name))
        for one in self.filled:
            if one.question.key not in data:
                one.read(data, at, faults, out)
        return out

    def judge(self, out: Mapping[str, Any], at: str, view: View) -> None:
        """Adds a fault for each rule of what shows that is broken by the answers, as `read` gave them."""
        faults = view.session.faults
        if at in faults.refused:
            return
        state = self.logic.state(view)
        for name in out:
            for field in self.speaking.get(name, ()):
                field.judge(out, at, view, state)
        for one in self.demanding:
            if one.question.key not in out:
                one.judge(out, at, view, state)
        for group in self.groups:
            self._judge_group(group, out, at, faults, state)

    def compute(self, values: dict[str, Any], view: View) -> bool:
        """One round. Whether a value changed, so that another is due."""
        if not self.makers:
            return False
        state = self.logic.state(view)
        changed = False
        for maker in self.makers:
            changed = maker.run(values, view, state) or changed
        return changed

    def finish(
        self,
        values: dict[str, Any],
        view: View,
        changes: list[Change],
        *,
        within_hidden: bool = False,
        around_shows: bool = True,
    ) -> None:
        """Notes what is to be taken out because it does not show, as survey-core does at completion.

        `within_hidden`: in a panel that does not show; then only what is hidden by itself goes.
        `around_shows`: the dynamic panel around does; if not, nothing in it shows.
        """
        made = (one.question.key for one in self.filled if one.question.key not in view.session.given)
        changes.extend(Change(values, key) for key in made if not any(values.get(key) or ()))
        if not self.clearing:
            return
        state = self.logic.state(view)
        kept = {
            one.key for one in self.clearing if (state.shown[one.slot] and around_shows) or not one.clears
        }
        for one in self.clearing:
            if one.opened_by and not (one.opened_by in values and one.key in values):
                continue
            if one.key not in kept and not (within_hidden and state.own[one.slot]):
                changes.extend(Change(values, name) for name in (one.key, *one.beside))
                continue
            if one.prune is not None and one.key in values:
                before = len(changes)
                new = one.prune(values[one.key], view, changes, shown=state.shown[one.slot])
                changes[before:] = [change._replace(root=one.key) for change in changes[before:]]
                if new is not UNDEFINED:
                    changes.append(Change(values, one.key, new))
            if one.other is not None and not one.other(values.get(one.key)):
                changes.append(Change(values, one.beside[0]))

    def shows_any(self, view: View) -> bool:
        """Whether anything in it shows."""
        shown = self.logic.state(view).shown
        return any(shown[slot] for slot in self.slots)

    def follow(self, values: dict[str, Any], view: View, gone: set[str]) -> None:
        """Choices go with the answer that gave them."""
        for one in self.carrying:
            offered, key = one.checks.offer, one.question.key
            if offered is not None and offered.given_by in gone and key in values:
                kept = offered.keep(values[key], view)
                if kept != values[key] and put(values, key, kept):
                    gone.add(key)

    def _judge_group(
        self, group: RequiredGroup, out: Mapping[str, Any], at: str, faults: Faults, state: State
    ) -> None:
        if not (state.asked[group.slot] and state.shown[group.slot]) or state.locked[group.slot]:
            return
        asked = [(known, speaks) for known, slot, speaks in group.members if state.shown[slot]]
        if asked and all(_is_unanswered(known, out, at, faults) for known, _ in asked):
            first = next((token(known.key) for known, speaks in asked if speaks), "")
            faults.add(at + first, group.message)

    def _unknown(self, name: str) -> str:
        if name in self.voiceless:
            return "this element only shows something; it holds no answer"
        return "no question has this name"


def _is_affordable(value: Any, times: int, faults: Faults) -> bool:
    """Each question of one valueName reads the answer anew."""
    return not isinstance(value, list | dict) or faults.spend(PART * times * breadth(value))


def _is_unanswered(known: Known, out: Mapping[str, Any], at: str, faults: Faults) -> bool:
    found = out.get(known.key)
    empty = is_blank(found) or nothing(found) or (known.panels and not any(found or ()))
    return empty and at + token(known.key) not in faults.refused
