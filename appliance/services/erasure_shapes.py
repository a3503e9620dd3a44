"""The JSON shapes of finding, exporting and erasing what is kept of a person."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Id = Annotated[str, Meta(min_length=1, max_length=64)]
By = Literal["user_id", "answer", "response_ids"]
State = Literal["finding", "found", "counted", "refused", "erasing", "erased", "expired", "failed"]


class Subject(Struct, forbid_unknown_fields=True, kw_only=True):
    """What fits any of these is found."""

    user_id: (
        Annotated[str, Meta(min_length=1, max_length=64, description="Of the account that submitted it")]
        | UnsetType
    ) = UNSET
    answer: (
        Annotated[
            str,
            Meta(
                min_length=3,
                max_length=200,
                description="An answer that is just this, to any question, in any version; spaces around it, "
                "case and ways of writing the same letter do not count. An address, a telephone number",
            ),
        ]
        | UnsetType
    ) = UNSET
    response_ids: Annotated[list[Id], Meta(min_length=1, max_length=1000)] | UnsetType = UNSET


class StartErasure(Struct, forbid_unknown_fields=True, kw_only=True):
    subject: Subject
    form_id: Annotated[str, Meta(max_length=64, description="Look in this form only")] | UnsetType = UNSET
    account: Annotated[bool, Meta(description="Erase the account `user_id` too")] = False
    dry_run: Annotated[bool, Meta(description="Only count; nothing can be erased by it")] = False


class FoundInForm(Struct, kw_only=True):
    form_id: str
    responses: int
    partials: int
    """Half-filled ones."""


class Erasure(Struct, kw_only=True):
    erasure_id: str
    state: State
    by: list[By]
    fingerprint: str
    """A keyed hash of what was asked: the same for the same, and no way back."""
    form_id: str | None
    account: bool
    dry_run: bool
    asked_by: str | None
    asked_at: str
    found: list[FoundInForm]
    found_at: str | None
    confirmed_by: str | None
    erased_at: str | None
    error: str | None


class Erasures(Struct):
    subjects: list[Erasure]
    next_cursor: str | None
