"""Short ways to a form and to a verdict."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from appliance.domain import answer
from appliance.domain.form import Form, compile_definition
from appliance.errors import Invalid

Json = dict[str, Any]
NOW: Final = dt.datetime(2026, 3, 10, 12, 34, 56, 789_000, dt.UTC)


def form(*elements: Json, **survey: Any) -> Form:
    return compile_definition({"elements": list(elements), **survey})


def definition_faults(definition: Any) -> list[tuple[str, str]]:
    """(path, message) of each fault; none means that it compiled."""
    try:
        compile_definition(definition)
    except Invalid as refused:
        return [(one.path, one.message) for one in refused.errors]
    return []


def check_answers(made: Form, data: Any) -> Json:
    return answer.check_answers(made, data, NOW)


def answer_faults(made: Form, data: Any) -> list[tuple[str, str]]:
    try:
        check_answers(made, data)
    except Invalid as refused:
        return [(one.path, one.message) for one in refused.errors]
    return []
