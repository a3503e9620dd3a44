"""Every error a caller can see, in one table (RFC 9457).

Problem
├── BadRequest 400 ─ not JSON, an unknown or mistyped field
├── Unauthenticated 401
├── Forbidden 403 ─ known to the caller, not allowed
├── NotFound 404 ─ absent, or of someone who may not know it exists
├── MethodNotAllowed 405
├── Conflict 409
├── FormOutdated 409 ─ filled in by another version; says which is current
├── StorageFull 409 ─ the form holds as many files or half-filled responses as it may
├── FormNotOpen, FormClosed, FormFull, QuotaFull 410
├── Stale 412
├── TooLarge 413
├── UnsupportedType 415
├── Invalid 422 ─ judged by a form's rules or by the definition checker
├── TooMany 429 ─ always with Retry-After
├── Unavailable 503 ─ always with Retry-After
└── InternalError 500 ─ ours; says nothing of the inside
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

TYPE_PREFIX = "/problems/"


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of an input: where (a JSON Pointer, RFC 6901) and what is wrong there."""

    path: str
    message: str


def pointer(*parts: str | int) -> str:
    """A JSON Pointer from its reference tokens; `pointer()` is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


class Problem(Exception):
    """What the API answers as `application/problem+json`."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self, detail: str, *, errors: Iterable[FieldError] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after

    @property
    def type(self) -> str:
        return TYPE_PREFIX + self.slug


class InternalError(Problem):
    pass


class BadRequest(Problem):
    status, slug, title = 400, "bad-request", "Bad request"


class Unauthenticated(Problem):
    status, slug, title = 401, "unauthenticated", "Not authenticated"


class Forbidden(Problem):
    status, slug, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    status, slug, title = 404, "not-found", "Not found"


class MethodNotAllowed(Problem):
    status, slug, title = 405, "method-not-allowed", "Method not allowed"


class Conflict(Problem):
    status, slug, title = 409, "conflict", "Conflict"


class FormOutdated(Problem):
    status, slug, title = 409, "form-changed", "Form changed"

    def __init__(self, detail: str, *, version: int) -> None:
        super().__init__(detail)
        self.version = version


class StorageFull(Problem):
    status, slug, title = 409, "storage-full", "No room left for this form"


class FormNotOpen(Problem):
    status, slug, title = 410, "form-not-open", "Form not open yet"


class FormClosed(Problem):
    status, slug, title = 410, "form-closed", "Form closed"


class FormFull(Problem):
    status, slug, title = 410, "form-full", "Form full"


class QuotaFull(Problem):
    status, slug, title = 410, "quota-full", "Quota full"


class Stale(Problem):
    status, slug, title = 412, "stale", "Changed meanwhile"


class TooLarge(Problem):
    status, slug, title = 413, "too-large", "Too large"


class UnsupportedType(Problem):
    status, slug, title = 415, "unsupported-type", "Unsupported media type"


class Invalid(Problem):
    status, slug, title = 422, "invalid", "Invalid input"


class TooMany(Problem):
    status, slug, title = 429, "too-many-requests", "Too many requests"


class Unavailable(Problem):
    status, slug, title = 503, "unavailable", "Temporarily unavailable"

    def __init__(self, detail: str, *, errors: Iterable[FieldError] = (), retry_after: int = 2) -> None:
        super().__init__(detail, errors=errors, retry_after=retry_after)


class SettingError(Exception):
    """A setting that cannot be used. The message names the setting and its source."""


def with_mend(fault: SettingError) -> str:
    """Its message, with the next step."""
    told = str(fault)
    return told if "; next: " in told else f"{told}; next: correct it; docs/settings.md lists every setting"


class CannotStart(Exception):
    """The appliance cannot start here. The message says why and what to do next."""
