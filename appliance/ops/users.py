"""`appliance user …`: accounts, when nobody can sign in to make or mend them.

Passwords come from a prompt or from stdin, never from the command line, where every process could read them.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from pymongo.errors import PyMongoError

from appliance import addresses, settings
from appliance.addresses import Paths
from appliance.errors import CannotStart, Problem
from appliance.ops.table import print_table
from appliance.services import users
from appliance.services.account_shapes import ChangeUser, CreateUser, User
from appliance.services.context import Context, open_context
from appliance.settings import Settings
from appliance.stores import mongo
from appliance.stores import users as stored

T = TypeVar("T")
_PAGE = 200


def add(name: str, roles: list[str], email: str | None, *, invite: bool, as_json: bool) -> int:
    """Raises CannotStart with what is wrong."""
    _load_started()
    password = None if invite else _read_password()
    wanted = _convert({"username": name, "roles": roles, "email": email, "password": password})
    made, _ = _run(lambda context: users.create(context, None, wanted, None))
    token = made.reset_token if isinstance(made.reset_token, str) else None
    _tell(made, f"user {made.username} was added", token, as_json=as_json)
    return 0


def reset(name: str, *, as_json: bool) -> int:
    """Print a one-time token. Raises CannotStart."""
    user, token = _run(lambda context: users.issue_reset(context, None, name))
    _tell(user, f"a token for {user.username}", token, as_json=as_json)
    return 0


def set_status(name: str, status: str, *, as_json: bool) -> int:
    """Disable or enable. Raises CannotStart."""

    async def change(context: Context) -> User:
        found = await stored.get_by_name(context.db, name)
        wanted = msgspec.convert({"status": status}, ChangeUser)
        return (await users.change(context, None, found["_id"], wanted))[0]

    user = _run(change)
    ended = "; its sessions and keys have ended" if status == "disabled" else ""
    _tell(user, f"user {user.username} is {user.status}{ended}", None, as_json=as_json)
    return 0


def show(*, as_json: bool) -> int:
    """All accounts, newest first. Raises CannotStart."""
    found = [msgspec.to_builtins(user) for user in _run(_all)]
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print_table(
        ("USER", "STATUS", "ROLES", "EMAIL", "CREATED", "LAST LOGIN"),
        [
            (
                user["username"],
                user["status"],
                ", ".join(user["roles"]),
                user.get("email") or "-",
                user["created_at"],
                user["last_login_at"] or "-",
            )
            for user in found
        ],
    )
    return 0


async def _all(context: Context) -> list[User]:
    found: list[User] = []
    cursor = None
    while True:
        page = await users.newest(context, None, cursor, _PAGE)
        found += page.users
        cursor = page.next_cursor
        if cursor is None:
            return found


def _tell(user: User, done: str, token: str | None, *, as_json: bool) -> None:
    if as_json:
        fields: dict[str, Any] = msgspec.to_builtins(user)
        print(json.dumps({**fields, **({"reset_token": token} if token else {})}, indent=2))
        return
    print(done)
    if token:
        print(f"\ntoken  {token}\n\nIt sets a password once, within 24 hours:\n")
        print(
            f"  curl {addresses.front_url(settings.load())}/auth/reset -H 'Content-Type: application/json' \\"
        )
        print(f"""    -d '{{"token": "{token}", "new_password": "…"}}'""")


def _convert(fields: dict[str, Any]) -> CreateUser:
    try:
        return msgspec.convert(fields, CreateUser)
    except msgspec.ValidationError as fault:
        raise CannotStart(f"user: {fault}") from None


def _read_password() -> str:
    """From the terminal, twice, or one line of stdin. Raises CannotStart."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotStart("the two passwords differ; run the command again")
    return password


def _run(work: Callable[[Context], Awaitable[T]]) -> T:
    """With the same services as the API, so that its processes see the change at once."""
    try:
        return asyncio.run(_within(_load_started(), work))
    except Problem as fault:
        reasons = [f"{error.path.removeprefix('/')}: {error.message}" for error in fault.errors]
        raise CannotStart(" ".join([fault.detail, *reasons])) from None
    except PyMongoError as fault:
        raise CannotStart(mongo.told(fault)) from None


def _load_started() -> Settings:
    """Raises CannotStart before the first start; nothing is created here."""
    chosen = settings.load()
    if not Paths(chosen.data).run.is_dir():
        raise CannotStart(f"{chosen.data} is no data folder of an appliance yet; next: ./scripts/up")
    return chosen


async def _within(chosen: Settings, work: Callable[[Context], Awaitable[T]]) -> T:
    context = open_context(chosen)
    try:
        return await work(context)
    finally:
        await context.close()
