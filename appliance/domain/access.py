"""Who may do what: roles, shares, and the questions the services ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

ROLES = ("admin", "editor", "analyst", "viewer")


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

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

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
    return granted if "editor" in caller.roles else min(granted, Level.VIEW)


def _shared(caller: Caller, form: Mapping[str, Any]) -> Level:
    for share in form.get("shares", ()):
        if share["user_id"] == caller.user_id:
            return Level[str(share["level"]).upper()]
    return Level.NONE
