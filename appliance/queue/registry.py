"""The tasks there are. `tasks/` registers them; a worker finds them here by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Function = Callable[..., Awaitable[Any]]
"""An async function of the task's id and its arguments by name."""

_functions: dict[str, Function] = {}
_runner: Callable[[Awaitable[Any]], Any] | None = None


def task(name: str) -> Callable[[Function], Function]:
    """Register the decorated function. Raises ValueError when the name is taken."""

    def register(function: Function) -> Function:
        if name in _functions:
            raise ValueError(f"two tasks are called {name}")
        _functions[name] = function
        return function

    return register


def names() -> frozenset[str]:
    return frozenset(_functions)


def use_runner(runner: Callable[[Awaitable[Any]], Any]) -> None:
    """How this process runs a task's coroutine to its end."""
    global _runner
    _runner = runner


def run(name: str, task_id: str, arguments: dict[str, Any]) -> Any:
    """What Huey calls. Raises LookupError for a name that is not registered."""
    if _runner is None:
        raise LookupError("this process runs no tasks")
    try:
        function = _functions[name]
    except KeyError:
        raise LookupError(f"there is no task called {name}") from None
    return _runner(function(task_id, **arguments))
