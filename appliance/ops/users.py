"""`appliance user …`: accounts, when nobody can sign in to make or mend them.

Passwords come from a prompt or from stdin, never from the command line, where every process could read them.
"""

from __future__ import annotations

import getpass
import json
import sys
from typing import Any, TypeVar

import msgspec

from appliance import addresses, settings
from appliance.errors import CannotStart
from appliance.ops import inside
from appliance.ops.table import print_table
from appliance.services import users
from appliance.services.account_shapes import ChangeUser, CreateUser, User
from appliance.services.context import Context
from appliance.stores import users as stored

T = TypeVar("T")
_PAGE = 200


def add(name: str, roles: list[str], email: str | None, *, invite: bool, as_json: bool) -> int:
    """Raises CannotStart with what is wrong."""
    inside.load_started()
    fields = {"username": name, "roles": list(dict.fromkeys(roles)), "email": email}
    _check(fields)
    if not invite:
        fields["password"] = _read_password()
        _check(fields)
    wanted = msgspec.convert(fields, CreateUser)
    made, _ = inside.run(lambda context: users.create(context, None, wanted, None))
    token = made.reset_token if isinstance(made.reset_token, str) else None
    _tell(made, f"user {made.username} was added", token, as_json=as_json)
    return 0


def reset(name: str, *, as_json: bool) -> int:
    """Print a one-time token. Raises CannotStart."""
    user, token = inside.run(lambda context: users.issue_reset(context, None, name))
    _tell(user, f"a token for {user.username}", token, as_json=as_json)
    return 0


def set_status(name: str, status: str, *, as_json: bool) -> int:
    """Disable or enable. Raises CannotStart."""

    async def change(context: Context) -> User:
        found = await stored.get_by_name(context.db, name)
        wanted = msgspec.convert({"status": status}, ChangeUser)
        return (await users.change(context, None, found["_id"], wanted))[0]

    user = inside.run(change)
    ended = "; its sessions and keys have ended" if status == "disabled" else ""
    _tell(user, f"user {user.username} is {user.status}{ended}", None, as_json=as_json)
    return 0


def show(*, as_json: bool) -> int:
    """All accounts, newest first. Raises CannotStart."""
    found = [msgspec.to_builtins(user) for user in inside.run(_all)]
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


_RULES = {
    "username": "2 to 100 letters, digits and . _ @ + - are needed, a letter or digit first, such as olga",
    "roles": "the roles are admin, editor, analyst and viewer, such as --role analyst --role viewer",
    "email": "an address is needed, such as --email olga@example.org",
    "password": "10 to 1024 characters are needed, such as four words that do not go together",
}


def _check(fields: dict[str, Any]) -> None:
    """Each by the rules of the API, told for people. Raises CannotStart."""
    types = {field.name: field.type for field in msgspec.structs.fields(CreateUser)}
    faults = [f"{name}: {_RULES[name]}" for name, value in fields.items() if not _is_one(value, types[name])]
    if faults:
        raise CannotStart("\n".join([*faults, "nothing was added; next: run the command again"]))


def _is_one(value: object, of: Any) -> bool:
    try:
        msgspec.convert(value, of)
    except msgspec.ValidationError:
        return False
    return True


def _read_password() -> str:
    """From the terminal, twice, or one line of stdin. Raises CannotStart."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CannotStart("the two passwords differ; run the command again")
    return password
