"""The JSON shapes of search by meaning."""

from __future__ import annotations

from msgspec import Struct

from appliance.services.shapes import Response


class FoundResponse(Response, kw_only=True):
    score: float
    """The cosine: 1 says the same, 0 has nothing to do with it."""
    text: str
    """The beginning of what was found: the answers in free text."""


class FoundResponses(Struct, kw_only=True):
    responses: list[FoundResponse]
    """The nearest first."""
    pending: int
    """At most so many responses of the form have not been looked at: what came or changed just now, and what
    lies behind it in a queue."""
    complete: bool
    """False where something is pending, and where so many near ones did not pass the filters that it was
    given up."""
    model: str
    """Whose vectors were compared."""
