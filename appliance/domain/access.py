"""Who may do what: roles, shares, and the questions the services ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

ROLES = ("admin", "editor", "analyst", "viewer")
SCOPES = (
    "forms:read",
    "forms:write",
    "responses:read",
    "responses:write",
    "tasks",
    "webhooks",
    "analytics",
    "ai",
    "admin",
)
"""What an API key may be made for. A route names the one it needs; a session has all."""


class Level(IntEnum):
    """What somebody may do with one form; each level includes those below."""

    NONE = 0
    VIEW = 1
    EDIT = 2
    MANAGE = 3


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who has proved who they are."""

    user_id: str
    username: str
    roles: frozenset[str]
    credential: str = ""
    """What proved it: a token's `jti`, or a key's id."""
    scopes: frozenset[str] | None = None
    """Of an API key; None for a session."""

    @property
    def is_admin(self) -> bool:
        """Not by a key without the scope `admin`: to keys, its owner is an editor."""
        return "admin" in self.roles and self.has_scope("admin")

    def has_scope(self, scope: str) -> bool:
        return self.scopes is None or scope in self.scopes

    @property
    def may_ask_models(self) -> bool:
        return not self.roles.isdisjoint({"admin", "editor", "analyst"})

    @property
    def may_create_forms(self) -> bool:
        return not self.roles.isdisjoint({"admin", "editor"})


def level(caller: Caller | None, form: Mapping[str, Any]) -> Level:
    """The level of `caller` on a stored form: the owner's and an admin's is MANAGE, else what was shared.

    Only an editor (or admin) may go past VIEW, whatever the share says.
    """
    if caller is None:
        return Level.NONE
    if caller.is_admin:
        return Level.MANAGE
    granted = Level.MANAGE if form["owner"] == caller.user_id else _shared(caller, form)
    return granted if caller.may_create_forms else min(granted, Level.VIEW)


def _shared(caller: Caller, form: Mapping[str, Any]) -> Level:
    for share in form.get("shares", ()):
        if share["user_id"] == caller.user_id:
            return Level[str(share["level"]).upper()]
    return Level.NONE
