"""The JSON shapes of analyses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from appliance.services.shapes import Moment, WebAddress

Sentiment = Literal["positive", "neutral", "negative", "unsure"]
ResponseIds = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(min_length=1, max_length=1000)]


class StartAnalysis(Struct, forbid_unknown_fields=True, kw_only=True):
    """Of all responses, or of these, or of those since; what has not changed since it was read is
    left out.
    """

    response_ids: ResponseIds | None = None
    since: Moment | None = None
    webhook_url: WebAddress | None = None


class Insight(Struct, kw_only=True):
    """What was found in the free text of one response. `revision` is the state that was read."""

    response_id: str
    revision: int
    sentiment: Sentiment
    confidence: float
    """From 0 to 1, of the sentiment."""
    analysis: str
    """The findings in a sentence."""
    inference_time: float
    """Seconds."""
    as_of: str
    model: str
    findings: dict[str, Any]
    """All of it."""


class ResponseInsights(Struct):
    responses: list[Insight]
    next_cursor: str | None


class Insights(Struct, kw_only=True):
    """Of all responses of a form that have been read."""

    form_id: str
    as_of: str
    model: str
    analysis: str
    confidence: float
    inference_time: float
    responses: int
    """That have been read."""
    sentiment: dict[str, int]
    findings: dict[str, Any]
