"""What XLSForm's appearances become. The rest is looks that SurveyJS has no counterpart for: reported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]
_CHOICES: Final[dict[str, Json]] = {
    "minimal": {"type": "dropdown"},
    "autocomplete": {"type": "dropdown"},
    "likert": {"colCount": 0},
    "horizontal": {"colCount": 0},
    "horizontal-compact": {"colCount": 0},
    "columns-pack": {"colCount": 0},
    "columns": {"colCount": 2},
    "columns-1": {"colCount": 1},
    "columns-2": {"colCount": 2},
    "columns-3": {"colCount": 3},
    "columns-4": {"colCount": 4},
    "columns-5": {"colCount": 5},
    "label": {"colCount": 0},
    "list": {"colCount": 0},
    "list-nolabel": {"colCount": 0},
}
TABLE: Final[Mapping[str, Mapping[str, Json]]] = {
    "one": _CHOICES,
    "multiple": {**_CHOICES, "minimal": {"type": "tagbox"}, "autocomplete": {"type": "tagbox"}},
    "text": {
        "multiline": {"type": "comment"},
        "numbers": {"inputType": "tel"},
        "url": {"inputType": "url"},
        "masked": {"inputType": "password"},
    },
    "range": {"rating": {"type": "rating"}},
    "image": {
        "signature": {"type": "signaturepad"},
        "draw": {"type": "signaturepad"},
        "annotate": {"type": "signaturepad"},
        "new": {"sourceType": "camera"},
        "new-front": {"sourceType": "camera", "cameraFacingMode": "user"},
    },
    "group": {"field-list": {}},
    "repeat": {"field-list": {}},
}
"""By type, then by word; an empty row is how it looks anyway."""
_ONLY: Final = {"dropdown": ("colCount",), "tagbox": ("colCount",), "comment": ("inputType",)}
_ONLY_FILE: Final = ("acceptedTypes", "sourceType", "cameraFacingMode")


def apply(kind: str, text: str, element: Json) -> list[str]:
    """Changes the element; gives the words without a counterpart."""
    rows, unknown = TABLE.get(kind, {}), []
    for word in re.split(r"[\s,]+", text.strip()):
        found = rows.get(word.lower())
        if found is None:
            unknown.append(word)
        else:
            element.update(found)
    for name in (*_ONLY.get(element.get("type", ""), ()), *(_ONLY_FILE if element["type"] != "file" else ())):
        element.pop(name, None)
    return [word for word in unknown if word]
