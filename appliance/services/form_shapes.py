"""The JSON shapes of sharing a form, of its links, and of judging one without storing it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.services.shapes import Moment

Level = Literal["view", "edit", "manage"]


class GiveShare(Struct, forbid_unknown_fields=True, kw_only=True):
    """Exactly one of `username` and `user_id` says who."""

    level: Level
    username: Annotated[str, Meta(max_length=100)] | UnsetType = UNSET
    user_id: Annotated[str, Meta(max_length=64)] | UnsetType = UNSET


class GiveShares(Struct, forbid_unknown_fields=True):
    """All shares: who is not named has none afterwards."""

    shares: Annotated[list[GiveShare], Meta(max_length=200)]


class Share(Struct):
    user_id: str
    username: str
    level: Level


class Shares(Struct):
    shares: list[Share]


class CreateLink(Struct, forbid_unknown_fields=True, kw_only=True):
    single_use: bool = False
    expires_at: Moment | None = None
    note: Annotated[str, Meta(max_length=500)] | None = None


class Link(Struct, kw_only=True):
    """A link through which a form can be answered that is not public."""

    link_id: str
    single_use: bool
    expires_at: str | None
    note: str | None
    created_at: str
    created_by: str


class CreatedLink(Link, kw_only=True):
    """`token` and `url` are shown this once. A repeated request under its key shows them again."""

    token: str = ""
    url: str = ""


class Links(Struct):
    links: list[Link]
    next_cursor: str | None


class JudgeForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """Exactly one of `definition` and `schema`."""

    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET


class Judged(Struct):
    valid: Literal[True]
    warnings: list[str]
