"""The JSON shapes of changing responses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Tag = Annotated[str, Meta(min_length=1, max_length=50)]
Kept = Literal["accepted", "flagged"]


class ChangeResponse(Struct, forbid_unknown_fields=True, kw_only=True):
    """Only what is given is changed; `data` and `tags` are replaced whole."""

    data: Any = UNSET
    status: Kept | UnsetType = UNSET
    tags: Annotated[list[Tag], Meta(max_length=50)] | UnsetType = UNSET


class EarlierState(Struct, kw_only=True):
    revision: int
    status: Literal["accepted", "flagged", "deleted"]
    tags: list[str]
    data: dict[str, Any]
    updated_at: str
    replaced_at: str
    replaced_by: str


class History(Struct):
    history: list[EarlierState]
    next_cursor: str | None


class Bulk(Struct, forbid_unknown_fields=True, kw_only=True):
    """`value` is the tag for `tag` and `untag`, the status for `set_status`."""

    response_ids: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=1000)]
    action: Literal["delete", "restore", "tag", "untag", "set_status"]
    value: Tag | UnsetType = UNSET


class BulkDone(Struct):
    changed: int
    unchanged: int
    """Were so already, or are deleted and take no tag or status."""
    not_found: list[str]
