"""Whether a response speaks of a person: by an answer that is just theirs, wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.domain.values import js_text


def spelled(text: str) -> str:
    """As answers are compared: without spaces around it, and case."""
    return text.strip().casefold()


def answers(data: Any, wanted: str) -> bool:
    """Whether any value in the data, however deep, is `wanted` (spelled so). Names do not count."""
    heap = [data]
    while heap:
        value = heap.pop()
        if isinstance(value, Mapping):
            heap += value.values()
        elif isinstance(value, str):
            if spelled(value) == wanted:
                return True
        elif isinstance(value, Iterable):
            heap += value
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and js_text(value) == wanted:
            return True
    return False
