"""The JSON shapes of the API. Unknown fields are refused; what creates differs from what changes.

Patterns end with `\\Z`: for Python, `$` also is before a last line feed. The published document has `$`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAIL_ADDRESS = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*\Z"
"""As browsers have it (HTML, 4.10.5.1.5): what a mail server takes without extensions."""
_BLANK = r"\s\x00-\x20\x7f-\xa0\ufeff"
"""White space to Python or to ECMAScript, whose patterns are the published ones, and control characters."""
Moment = Annotated[dt.datetime, Meta(tz=True)]
Email = Annotated[str, Meta(pattern=_MAIL_ADDRESS, max_length=254)]
WebAddress = Annotated[str, Meta(pattern=rf"^https?://[^{_BLANK}]+\Z", max_length=2000)]
Origin = Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:*]+\Z", max_length=255)]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Status = Literal["draft", "published", "closed"]


class FormSettings(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What an owner decides about a form beside its questions."""

    public: bool = False
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    max_responses: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    one_per_person: bool = False
    redirect_url: WebAddress | None = None
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")] | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    frame_ancestors: Annotated[list[Origin], Meta(max_length=20)] = []
    origins: Annotated[list[Origin], Meta(max_length=20)] = []
    notify: Annotated[list[Email], Meta(max_length=20)] = []
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    pin: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{4,64}\Z")] | None = None
    store_address: bool = False
    consent: Annotated[str, Meta(max_length=10_000)] | None = None


class CreateForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """Exactly one of `definition` (SurveyJS JSON) and `schema` (JSON Schema 2020-12 of one response)."""

    title: Title
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    settings: FormSettings = field(default_factory=FormSettings)


class ChangeForm(Struct, forbid_unknown_fields=True, kw_only=True):
    """Only what is given is changed. A setting given as null goes back to its default."""

    title: Title | UnsetType = UNSET
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET


class Form(Struct, kw_only=True):
    """A form as its editors see it. `version` is the one published last, 0 before the first."""

    form_id: str
    slug: str
    title: str
    status: Status
    version: int
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    settings: dict[str, Any]
    owner: str
    created_at: str
    updated_at: str
    response_count: int | UnsetType = UNSET
    last_response_at: str | UnsetType | None = UNSET


class PublicForm(Struct, kw_only=True):
    """A form as a stranger sees it."""

    form_id: str
    slug: str
    title: str
    version: int
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    settings: dict[str, Any]


class Forms(Struct):
    forms: list[Form]
    next_cursor: str | None


class FormVersion(Struct, kw_only=True):
    version: int
    published_at: str
    published_by: str
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET


class FormVersions(Struct):
    versions: list[FormVersion]
    next_cursor: str | None


class PageTime(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=200)]
    seconds: Annotated[float, Meta(ge=0)]


class SubmissionMeta(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What a client tells about the filling in; bounded by the server before it is kept."""

    started_at: Moment | None = None
    completion_time: Annotated[float, Meta(ge=0)] | None = None
    pages: Annotated[list[PageTime], Meta(max_length=200)] = []
    language: Annotated[str, Meta(max_length=35)] | None = None
    source: Annotated[str, Meta(max_length=200)] | None = None


class Submission(Struct, forbid_unknown_fields=True):
    """Answers by question name; judged by the form's rules, not by this document."""

    data: Any
    meta: SubmissionMeta = field(default_factory=SubmissionMeta)


class Submitted(Struct, kw_only=True):
    response_id: str
    form_id: str
    form_version: int
    created_at: str
    data: dict[str, Any]
    task_ids: list[str]


class Verdict(Struct):
    """Of a dry run: the data as it would be stored."""

    data: dict[str, Any]


class Response(Struct, kw_only=True):
    response_id: str
    form_id: str
    form_version: int
    created_at: str
    updated_at: str
    submitter: str | None
    status: Literal["accepted", "flagged", "deleted"]
    data: dict[str, Any]
    meta: dict[str, Any]
    tags: list[str]
    revision: int
    """1 as submitted; each change adds one."""


class Responses(Struct):
    responses: list[Response]
    next_cursor: str | None
