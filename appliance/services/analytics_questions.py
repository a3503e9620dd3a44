"""What a named query is about beside forms and days: its parameters, and the questions among them."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from appliance.errors import FieldError, Invalid
from appliance.services import export_making
from appliance.services.context import Context

if TYPE_CHECKING:
    from appliance.analytics.answers import Asked, Question
    from appliance.analytics.named import Named, Parameter

_KEPT = 64
"""Forms whose questions a process keeps at hand."""
_TOLD = 30
"""Names of questions at most that a refusal lists."""


class Details(NamedTuple):
    asked: Asked | None
    parameters: dict[str, Any]


class _Form(NamedTuple):
    version: int
    mark: str
    questions: dict[str, Question]


_forms: OrderedDict[str, _Form] = OrderedDict()


async def details(context: Context, query: Named, form_id: str | None, given: Mapping[str, str]) -> Details:
    """Checked. Raises Invalid with a fault for each that is missing, unknown or unfit."""
    from appliance.analytics import answers, named

    taken = {one.name for one in query.parameters}
    faults = [FieldError(f"/{name}", f"{query.name} takes no such") for name in given if name not in taken]
    about = [one for one in query.parameters if one.name in named.QUESTIONS]
    asked = None
    if about and form_id is None:
        faults.append(FieldError("/form_id", "questions are those of one form: say of which"))
    elif about and form_id is not None:
        form = await _form(context, form_id)
        found = [_question(form, one, given.get(one.name), faults) for one in about]
        asked = answers.Asked(form_id, form.mark, tuple(one for one in found if one is not None))
    parameters: dict[str, Any] = {}
    for one in query.parameters:
        if one not in about:
            try:
                parameters[one.name] = one.value(given.get(one.name))
            except ValueError as fault:
                faults.append(FieldError(f"/{one.name}", str(fault)))
    if faults:
        raise Invalid("The query cannot be asked so.", errors=faults)
    return Details(asked, parameters)


def _question(form: _Form, needed: Parameter, name: str | None, faults: list[FieldError]) -> Question | None:
    found = None if name is None else form.questions.get(name)
    if found is not None and _fits(found, needed):
        return found
    fitting = [each.name for each in form.questions.values() if _fits(each, needed)]
    more = f" and {len(fitting) - _TOLD} more" if len(fitting) > _TOLD else ""
    there = f"there are: {', '.join(fitting[:_TOLD])}{more}" if fitting else "the form has none"
    if name is None:
        what = "is needed"
    elif found is None:
        what = "no such question can be asked about"
    elif found.kind in needed.takes:
        what = "none of its choices is a number"
    else:
        what = f"it is one of kind {found.kind}"
    faults.append(
        FieldError(f"/{needed.name}", f"{what}; a question of kind {' or '.join(needed.takes)}: {there}")
    )
    return None


def _fits(one: Question, needed: Parameter) -> bool:
    """A query of numbers takes choices too, where some are."""
    if one.kind != "choice" or "number" not in needed.takes or "boolean" in needed.takes:
        return one.kind in needed.takes
    choices = one.parts[0].column.choices
    return not choices or any(map(_is_number, choices))  # without declared ones, any value may come


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


async def _form(context: Context, form_id: str) -> _Form:
    """Raises NotFound."""
    from appliance.analytics import answers, hot

    version = (await context.forms.get(form_id)).row["version"]
    kept = _forms.get(form_id)
    if kept is None or kept.version != version:
        columns = await export_making.columns_of(context, form_id)
        questions = await asyncio.to_thread(answers.questions, columns)
        kept = _forms[form_id] = _Form(version, hot.fingerprint(hot.columns(columns)), questions)
    _forms.move_to_end(form_id)
    if len(_forms) > _KEPT:
        _forms.popitem(last=False)
    return kept
