"""The verdict on a response, and its data as it will be stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from appliance.domain.actions import Watch
from appliance.domain.bounds import check_bounds
from appliance.domain.computed import Change, stored
from appliance.domain.effort import Exhausted, weigh
from appliance.domain.faults import Faults
from appliance.domain.form import Form
from appliance.domain.language import choose
from appliance.domain.moment import Moment
from appliance.domain.survey_core import MAX_ROUNDS
from appliance.domain.triggers import after
from appliance.domain.view import FormView, Json, Session

ROOT: Final = "/data"
MAX_DEPTH: Final = 32
DETAIL: Final = "The answers do not fit the form"
TOO_MUCH: Final = "these answers are too large for the form's conditions; shorten them"


def check_answers(
    form: Form, data: object, now: dt.datetime, wanted: Iterable[str | None] = ()
) -> dict[str, Any]:
    """The data as stored: numbers for number inputs, choices as the form spells them, no empty answers, none
    to what does not show; with what the server computes. `now` is what expressions take for the time.

    Raises Invalid with each fault at its JSON Pointer below /data, in survey-core's own words where it has
    any, in the first language of those wanted that the form can speak.
    """
    faults = Faults(choose(wanted, form.languages, form.context.language))
    check_bounds(data, ROOT, faults, depth=MAX_DEPTH)
    faults.raise_any(DETAIL)
    sent: dict[str, Any] = data if isinstance(data, dict) else {}
    values = form.scope.read(data, ROOT, faults)
    given = frozenset(values.keys() & sent.keys())
    session = Session(Moment(float(round(now.timestamp() * 1000))), faults, given=given)
    view = FormView(session, values, form.scope.names)
    try:
        _compute(form, view, sent)
        session.settled = True
        _judge(form, view)
        faults.raise_any(DETAIL)
        if form.scope.makers:
            session.settled, session.final = False, True
            form.scope.compute(values, view)
        changes: list[Change] = []
        form.scope.finish(values, view, changes)
        _settle(form, values, view, changes)
        if form.scope.makers or form.calculations or form.scope.setters:
            weigh([values, session.variables])
    except Exhausted:
        faults.add(ROOT, TOO_MUCH)
        faults.raise_any(DETAIL)
    return _told(form, view)


def _judge(form: Form, view: FormView) -> None:
    if form.leaps is not None:
        view.state = form.leaps.over(view, form.scope.logic.state(view))
    form.scope.judge(view.values, ROOT, view)
    if form.leaps is not None:  # what was passed over is treated as all else at the end
        view.state = None


def _settle(form: Form, values: Json, view: FormView, changes: list[Change]) -> None:
    """Makes the changes, and what follows from answers that went."""
    gone = []
    for change in changes:
        if change.make():
            key = change.root or change.key
            gone.append(key)
            after([key], values, view, form.scope.setters)
    form.scope.follow(values, view, set(gone))


def _compute(form: Form, view: FormView, sent: Mapping[str, Any]) -> None:
    if not form.calculations and not form.scope.makers:
        return
    empty = FormView(view.session, {}, view.names)
    for one in form.calculations:  # what they are before the first answer, as conditions may change nothing
        one.run(empty)
    watch = Watch(form.actions, form.scope.fields, {name: sent.get(name) for name in form.watched})
    for _ in range(MAX_ROUNDS + 1):
        changed = [one.run(view) for one in form.calculations]
        changed.append(form.scope.compute(view.values, view))
        if form.watched:
            changed.append(watch.run(view.values, view))
        if not any(changed):
            return


def _told(form: Form, view: FormView) -> dict[str, Any]:
    if not form.calculations and not form.scope.makers and not form.scope.setters:
        return view.values
    for one in form.calculations:
        one.tell(view.values, view)
    told: dict[str, Any] = stored(view.values)
    return told
