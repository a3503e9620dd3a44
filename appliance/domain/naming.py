"""Names under which answers are stored."""

from __future__ import annotations

from typing import Final

from appliance.domain.bounds import key_fault
from appliance.domain.values import SPACE

MAX_NAME: Final = 200


def name_fault(name: str) -> str | None:
    """Why no answer can be stored under `name`, or None."""
    if not name.strip(SPACE):
        return "a name is needed"
    if name.startswith("$"):
        return "a name must not begin with $"
    if name != name.strip(SPACE) or "{" in name or "}" in name or name.startswith("#"):
        return "survey-core would change this name: no {, }, leading # or space around it"
    if name in ("__proto__", "constructor", "prototype"):
        return "this name means something else to JavaScript"
    if len(name) > MAX_NAME:
        return f"a name may have {MAX_NAME} characters"
    message = key_fault(name)
    return None if message is None else f"the name {message}"
