"""Keys for programs: never more than their owner may, shown once."""

from __future__ import annotations

from appliance.clock import is_moment, new_id, rfc3339, utc_now
from appliance.domain.access import Caller
from appliance.errors import FieldError, Forbidden, Invalid, NotFound
from appliance.services.account_shapes import ApiKey, ApiKeys, CreatedKey, CreateKey
from appliance.services.callers import KEY_PREFIX, hash_secret
from appliance.services.context import Context
from appliance.services.repeats import once
from appliance.services.users import next_cursor
from appliance.stores import api_keys, idempotency, users
from appliance.stores.mongo import Document
from appliance.stores.transactions import Session, together


async def create(
    context: Context, caller: Caller, wanted: CreateKey, key: idempotency.Key | None
) -> tuple[CreatedKey, bool]:
    """The key, and whether it is the repeated answer. Raises Forbidden, Invalid."""
    if "admin" in wanted.scopes and not caller.is_admin:
        raise Forbidden("Only an admin's key may have the scope admin.")
    if wanted.expires_at is not None and not is_moment(wanted.expires_at):
        fault = FieldError("/expires_at", "must lie in the years 1970 to 9000")
        raise Invalid("The time is not valid.", errors=[fault])
    if wanted.expires_at is not None and wanted.expires_at <= utc_now():
        raise Invalid("The key would have expired.", errors=[FieldError("/expires_at", "is in the past")])
    key_id = new_id()
    fields = {
        "_id": key_id,
        "user_id": caller.user_id,
        "name": wanted.name,
        "scopes": sorted(set(wanted.scopes)),
        "hash": hash_secret(_secret(context, key_id)),
        "expires_at": wanted.expires_at,
    }

    async def write(session: Session) -> ApiKey:
        return _shape(await api_keys.insert(context.db, session, fields, caller.user_id))

    taken = "A request with this Idempotency-Key is under way; ask again in a moment."
    made, replayed = await once(context, key, ApiKey, write, taken)
    secret = _secret(context, made.key_id)
    return CreatedKey(**_fields(made), key=f"{KEY_PREFIX}{made.key_id}_{secret}"), replayed


async def newest(
    context: Context, caller: Caller, user_id: str | None, cursor: str | None, limit: int
) -> ApiKeys:
    """The caller's own keys; an admin may ask for those of another. Raises Forbidden."""
    owner = user_id or caller.user_id
    if owner != caller.user_id and not caller.is_admin:
        raise Forbidden("You may list your own keys only.")
    scope = f"api-keys\0{owner}"
    high = context.cursors.read(scope, cursor) if cursor else None
    page = await api_keys.newest(context.db, owner, high, limit)
    return ApiKeys([_shape(row) for row in page.rows], next_cursor(context, scope, page))


async def delete(context: Context, caller: Caller, key_id: str) -> None:
    """Withdraw a key; it is out everywhere at once. Raises NotFound, also for a key of somebody else."""
    row = await api_keys.find(context.db, key_id)
    if row is None or (row["user_id"] != caller.user_id and not caller.is_admin):
        raise NotFound("There is no such key.")
    found = row

    async def write(session: Session) -> None:
        await api_keys.delete(context.db, session, found, caller.user_id)

    async with context.generations.changing(users.key(found["user_id"]), api_keys.key(key_id)):
        await together(context.db, write)


def _secret(context: Context, key_id: str) -> str:
    """Made from the id by a key that only this appliance has, so that a repeated request can be told it."""
    return context.cursors.derive("api-key", key_id)


def _shape(row: Document) -> ApiKey:
    return ApiKey(
        key_id=row["_id"],
        name=row["name"],
        scopes=row["scopes"],
        user_id=row["user_id"],
        created_at=rfc3339(row["created_at"]),
        expires_at=rfc3339(row["expires_at"]) if row["expires_at"] else None,
    )


def _fields(key: ApiKey) -> Document:
    return {name: getattr(key, name) for name in key.__struct_fields__}
