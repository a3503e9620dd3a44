"""Short ways to a form and to a verdict."""

from __future__ import annotations

from typing import Any

from appliance.domain.answer import check_answers
from appliance.domain.form import Form, compile_definition
from appliance.errors import Invalid

Json = dict[str, Any]


def form(*elements: Json, **survey: Any) -> Form:
    return compile_definition({"elements": list(elements), **survey})


def definition_faults(definition: Any) -> list[tuple[str, str]]:
    """(path, message) of each fault; none means that it compiled."""
    try:
        compile_definition(definition)
    except Invalid as refused:
        return [(one.path, one.message) for one in refused.errors]
    return []


def answer_faults(made: Form, data: Any) -> list[tuple[str, str]]:
    try:
        check_answers(made, data)
    except Invalid as refused:
        return [(one.path, one.message) for one in refused.errors]
    return []
