"""The JSON shapes of the API. Unknown fields are refused; what creates differs from what changes.

Patterns end with `\\Z`: for Python, `$` also is before a last line feed. The published document has `$`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
MAIL_ADDRESS = rf"^[A-Za-z0-9.!#$%&'*+/=^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*\Z"
"""As browsers have it (HTML, 4.10.5.1.5), what a mail server takes without extensions; but no `?`, which the
mail library might take for part of an encoded word (RFC 2047)."""
_BLANK = r"\s\x00-\x20\x7f-\xa0\ufeff"
"""White space to Python or to ECMAScript, whose patterns are the published ones, and control characters."""
Moment = Annotated[dt.datetime, Meta(tz=True)]
Email = Annotated[str, Meta(pattern=MAIL_ADDRESS, max_length=254, description="An e-mail address")]
WebAddress = Annotated[
    str,
    Meta(
        pattern=rf"^https?://[^{_BLANK}]+\Z",
        max_length=2000,
        description="A whole address that begins with https:// or http://, without spaces",
    ),
]
Origin = Annotated[
    str,
    Meta(
        pattern=r"^https?://[A-Za-z0-9.\-\[\]:*]+\Z",
        max_length=255,
        description="A site as scheme and host, with a port if it has one, without a path: https://www.example.org",
    ),
]
Line = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+\Z",
        max_length=200,
        description="One line of text, without control characters",
    ),
]
LanguageTag = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z",
        description="A language as BCP 47 has it, such as de or pt-BR",
    ),
]
Pin = Annotated[
    str,
    Meta(
        pattern=r"^[\x21-\x7e]{4,64}\Z",
        description="4 to 64 letters, digits and signs of ASCII, without spaces",
    ),
]
Title = Annotated[str, Meta(min_length=1, max_length=200)]
Theme = Literal[
    "default", "borderless", "contrast", "flat", "monochrome", "plain", "soft", "threedimensional"
]
"""survey-core's own, as the page has them (web/frontend/bundle.mjs)."""
Status = Literal["draft", "published", "closed"]


class Template(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Words of an e-mail, with places such as `{form.title}`, `{response.answers}` or a question's name."""

    subject: Line | None = None
    text: Annotated[str, Meta(min_length=1, max_length=10_000)] | None = None


class Receipt(Template, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Goes to the address that `question` asks for; without it to the account of whoever is signed in."""

    question: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Quota(Struct, forbid_unknown_fields=True):
    """At most `limit` responses that answer `value` to `question`, a question with choices."""

    question: Annotated[str, Meta(min_length=1, max_length=200)]
    value: Annotated[str, Meta(max_length=200)] | int | float | bool
    limit: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class FormSettings(Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What an owner decides about a form beside its questions."""

    public: bool = False
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    max_responses: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    one_per_person: bool = False
    redirect_url: WebAddress | None = None
    language: LanguageTag | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None
    frame_ancestors: Annotated[list[Origin], Meta(max_length=20)] = []
    origins: Annotated[list[Origin], Meta(max_length=20)] = []
    theme: Theme = "default"
    appearance: Literal["auto", "light", "dark"] = "auto"
    notify: Annotated[list[Email], Meta(max_length=20)] = []
    notify_template: Template | None = None
    receipt: Receipt | None = None
    retention_days: Annotated[int, Meta(ge=1, le=36_500)] | None = None
    pin: Pin | None = None
    quotas: Annotated[list[Quota], Meta(max_length=50)] = []
    categories: Annotated[list[Annotated[str, Meta(min_length=1, max_length=80)]], Meta(max_length=30)] = []
    """That analyses put responses into; without any they look for topics themselves."""
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
    pin_required: bool
    response_count: int | UnsetType = UNSET
    last_response_at: str | UnsetType | None = UNSET


class PublicForm(Struct, kw_only=True):
    """A form as a stranger sees it."""

    form_id: str
    slug: str
    title: str
    version: int
    pin_required: bool
    definition: dict[str, Any] | UnsetType = UNSET
    schema: dict[str, Any] | UnsetType = UNSET
    settings: dict[str, Any]


class LockedForm(Struct, kw_only=True):
    """A form with a PIN, as a stranger sees it who has not sent the right one."""

    form_id: str
    slug: str
    pin_required: Literal[True] = True
    settings: dict[str, Any]
    """Of these, no more than `language`."""


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
    honeypot: Annotated[str, Meta(max_length=1000)] = ""
    """What was put into a field that people do not see. Not kept: it flags the response."""


PartialToken = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_-]{32,128}\Z",
        description="32 to 128 letters and digits of ASCII, hyphens and underscores",
    ),
]
"""Made by the client at random: whoever has it has the half-filled response."""
Version = Annotated[int, Meta(ge=1, le=1_000_000_000)]


class Submission(Struct, forbid_unknown_fields=True):
    """Answers by question name; judged by the form's rules, not by this document.

    `partial` is the token of the half-filled response that this one finishes, `form_version` the version that
    was filled in.
    """

    data: Any
    meta: SubmissionMeta = field(default_factory=SubmissionMeta)
    partial: PartialToken | UnsetType = UNSET
    form_version: Version | UnsetType = UNSET


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
