"""The functions behind the tasks of `routes`. `tasks/` registers them; a worker finds them here by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from appliance.queue.routes import ROUTES

Function = Callable[..., Awaitable[Any]]
"""An async function of its `Run` and the task's arguments by name; its result is JSON."""

_functions: dict[str, Function] = {}


def task(name: str) -> Callable[[Function], Function]:
    """Register the decorated function. Raises ValueError when the name is taken or has no route."""

    def register(function: Function) -> Function:
        if name in _functions:
            raise ValueError(f"two tasks are called {name}")
        if name not in ROUTES:
            raise ValueError(f"the task {name} has no route")
        _functions[name] = function
        return function

    return register


def names() -> frozenset[str]:
    return frozenset(_functions)


def function(name: str) -> Function:
    """Raises LookupError for a name that is not registered."""
    try:
        return _functions[name]
    except KeyError:
        raise LookupError(f"there is no task called {name}") from None
