"""Texts with places to fill: `{form.title}`, `{response.number}`, or a question's name."""

from __future__ import annotations

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\{([^{}\r\n]{1,200})\}")
LONGEST = 100_000
"""Characters that a filled text has at most: a place may be named often, and an answer be long."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """Each place that has a value is filled, whatever the case of its name; any other stays as it is written,
    so that whoever wrote it sees which one it was. What is filled in is not looked at again.
    """
    known = {name.casefold(): value for name, value in values.items()}
    parts, length, end = [], 0, 0
    for found in _PLACE.finditer(template):
        part = template[end : found.start()] + known.get(found[1].strip().casefold(), found[0])
        parts.append(part)
        length, end = length + len(part), found.end()
        if length > LONGEST:  # not built whole first: what is named often is long
            return f"{''.join(parts)[:LONGEST]} […]"
    filled = "".join([*parts, template[end:]])
    return filled if len(filled) <= LONGEST else f"{filled[:LONGEST]} […]"
