"""Changes by those who did not say what they had read (no If-Match): they are no staler than what is there,
so when somebody else's change comes in between, theirs is simply made on top of it.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from appliance.errors import Conflict
from appliance.stores.transactions import Overtaken

P = ParamSpec("P")
T = TypeVar("T")
_TRIES = 20


def again(work: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Begin `work` anew, its reading included, when it was overtaken. With an If-Match the second reading
    finds another revision, and `work` raises Stale. Raises Conflict when others change it all the time.
    """

    @functools.wraps(work)
    async def whole(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(_TRIES):
            try:
                return await work(*args, **kwargs)
            except Overtaken:
                continue
        raise Conflict("Others are changing this all the time; try again.")

    return whole
