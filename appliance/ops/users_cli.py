"""`appliance user …`: accounts."""

from __future__ import annotations

import argparse

from appliance.ops.command_line import Commands, add_command, add_group, add_json


def add(commands: Commands) -> None:
    users = add_group(commands, "user", "accounts")
    add = add_command(users, "add", _add, "a new account; its password is asked for, or read from stdin")
    add.add_argument("name", metavar="NAME")
    add.add_argument(
        "--role", action="append", metavar="ROLE", help="admin, editor, analyst or viewer; may be repeated"
    )
    add.add_argument("--email", metavar="ADDRESS")
    add.add_argument("--invite", action="store_true", help="no password: print a one-time token to set it")
    add_json(add)
    for name, command, what in (
        ("reset", _reset, "print a one-time token that sets a new password"),
        ("disable", _status, "no more logins; all sessions and keys end"),
        ("enable", _status, "logins again"),
    ):
        one = add_command(users, name, command, what)
        one.add_argument("name", metavar="NAME")
        one.set_defaults(status="disabled" if name == "disable" else "active")
        add_json(one)
    add_json(add_command(users, "list", _list, "all accounts"))


def _add(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    roles = chosen.role or ["editor"]
    return users.add(chosen.name, roles, chosen.email, invite=chosen.invite, as_json=chosen.json)


def _reset(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.reset(chosen.name, as_json=chosen.json)


def _status(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.set_status(chosen.name, chosen.status, as_json=chosen.json)


def _list(chosen: argparse.Namespace) -> int:
    from appliance.ops import users

    return users.show(as_json=chosen.json)
