"""What the text of a cell stands for: the inverse of `cells`."""

from __future__ import annotations

import math
import re
from typing import Any, Final

import msgspec

from appliance.domain.cells import AS_JSON, JOIN, WORDS, is_scalar
from appliance.domain.columns import Column

_WHOLE: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)


def read(column: Column, text: str) -> Any:
    """The answer that a cell's text stands for. Raises ValueError, saying what was expected."""
    kind = column.kind
    if kind == "number":
        return _number(text)
    if kind == "boolean":
        if text.lower() not in WORDS:
            raise ValueError("true or false is needed")
        return WORDS[text.lower()]
    if kind == "json":
        return _json(text)
    if kind == "choice":
        return _read_choice(column, text)
    return _read_choices(column, text) if kind == "choices" else text


def _read_choice(column: Column, text: str) -> Any:
    if text in column.choices:
        return column.choices[text]
    if text.startswith(AS_JSON):
        return _json(text)
    if is_scalar(text):
        return WORDS[text] if text in WORDS else _number(text)
    return text


def _read_choices(column: Column, text: str) -> list[Any]:
    if text.startswith("["):
        found = _json(text)
    else:
        found = [_read_choice(column, part) for part in text.split(JOIN)]
    return [{column.wrapped: one} for one in found] if column.wrapped else list(found)


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise ValueError(f"not JSON: {fault}") from None


def _number(text: str) -> int | float:
    if _WHOLE.fullmatch(text):
        return int(text)
    try:
        number = float(text)
    except ValueError:
        raise ValueError("a number is needed") from None
    if not math.isfinite(number) or "_" in text:
        raise ValueError("a number is needed")
    return number
