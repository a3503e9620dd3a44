"""Answers without some of them, by their JSON Pointers."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]


def without(data: Json, pointers: Iterable[str]) -> Json:
    """What remains where these answers are not taken: one wrong item of an array, and the array is not."""
    left = copy.deepcopy(data)
    for pointer in pointers:
        steps = _answer(left, _steps(pointer))
        around = _follow(left, steps[:-1])
        if steps and isinstance(around, dict):
            around.pop(steps[-1], None)
    return left


def _answer(data: Json, steps: list[str]) -> list[str]:
    while steps and steps[-1].isdigit() and isinstance(_follow(data, steps[:-1]), list):
        steps = steps[:-1]
    choice = _follow(data, steps[:-1])
    if steps and steps[-1] == "value" and isinstance(choice, dict) and choice.keys() <= {"value", "comment"}:
        return _answer(data, steps[:-1])  # a choice with its comment
    return steps


def at(data: Json, pointer: str) -> Any:
    return _follow(data, _steps(pointer))


def _steps(pointer: str) -> list[str]:
    """Below /data."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[2:]]


def _follow(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, list):
            value = value[int(step)]
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def is_below(path: str, places: Iterable[str]) -> bool:
    """Whether it is one of the places or within one."""
    return any(path == place or path.startswith(place + "/") for place in places)
