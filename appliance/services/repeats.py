"""Creating writes that a client may repeat: the same Idempotency-Key gives the first answer, done once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from pymongo.errors import DuplicateKeyError

from appliance.domain.access import Caller
from appliance.errors import Conflict
from appliance.services.context import Context
from appliance.stores import idempotency
from appliance.stores.transactions import Session, together

T = TypeVar("T", bound=msgspec.Struct)


def key(
    context: Context, caller: Caller, path: str, given: str | None, body: msgspec.Struct
) -> idempotency.Key | None:
    """The caller's key in its scope. What is kept of the body is of no use to guess a password."""
    if given is None:
        return None
    plain = msgspec.json.encode(body, order="deterministic").decode()
    hashed, others = context.cursors.derive("body", plain), context.cursors.derive_others("body", plain)
    return idempotency.scoped(caller.user_id, path, given, hashed, others)


async def once(
    context: Context,
    key: idempotency.Key | None,
    shape: type[T],
    write: Callable[[Session], Awaitable[T]],
    taken: str,
) -> tuple[T, bool]:
    """What `write` made in a transaction, or made the first time; and whether it is the repeated answer.

    `write` must put no secret into what it makes: that is kept. Its caller adds what can be derived again.
    Raises Invalid for a key that was used for another body, Conflict saying `taken` for a name in use.
    """
    if key is not None and (first := await idempotency.find(context.db, key)):
        return msgspec.convert(first, shape), True

    async def write_and_remember(session: Session) -> T:
        made = await write(session)
        if key is not None:
            answer: Any = msgspec.to_builtins(made)
            await idempotency.remember(context.db, session, key, answer)
        return made

    try:
        return await together(context.db, write_and_remember), False
    except DuplicateKeyError:
        first = await idempotency.find(context.db, key) if key else None
        if first is None:
            raise Conflict(taken) from None
        return msgspec.convert(first, shape), True
