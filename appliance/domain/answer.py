"""The verdict on a response, and its data as it will be stored.

Conditions are not evaluated yet, so this is the unconditional part: whatever a visibleIf or enableIf may
switch off is checked for its type only.
"""

from __future__ import annotations

from typing import Any, Final

from appliance.domain.bounds import check_bounds
from appliance.domain.faults import Faults
from appliance.domain.form import Form

ROOT: Final = "/data"
MAX_DEPTH: Final = 32
DETAIL: Final = "The answers do not fit the form"


def check_answers(form: Form, data: object) -> dict[str, Any]:
    """The data as stored: numbers for number inputs, choices as the form spells them, no empty answers.

    Raises Invalid with each fault at its JSON Pointer below /data, in survey-core's own words where it has
    any. What the server computes itself (expression questions, calculated values, totals) is dropped.
    """
    faults = Faults()
    check_bounds(data, ROOT, faults, depth=MAX_DEPTH)
    faults.raise_any(DETAIL)
    stored = form.scope.check(data, ROOT, faults)
    faults.raise_any(DETAIL)
    return stored
