"""The JSON shapes of analyses."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from appliance.ai.suspicion import Suspicion
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


class Drafted(Struct, kw_only=True):
    """What a large model wrote about one response. A draft: nobody has looked whether it is so."""

    analysis: str
    sentiment: Literal["positive", "neutral", "negative"]
    reason: str
    categories: list[str]


class Insight(Struct, kw_only=True):
    """What was found in the free text of one response. `revision` is the state that was read."""

    response_id: str
    revision: int
    sentiment: Sentiment
    confidence: float
    """From 0 to 1, of the sentiment."""
    categories: list[str]
    """Those that the form names, or topics found in its answers; the nearest first."""
    phrases: list[str]
    """What it is about, in its own words."""
    language: str | None
    """ISO 639-1; null: too short or too mixed to tell."""
    suspicions: list[Suspicion]
    """Hints for a person: an honest answer may have links in it, or be angry."""
    duplicate_of: str | None
    """The first response of this form that it nearly repeats."""
    analysis: str
    """The findings in a sentence."""
    draft: bool
    """Whether a large model wrote `drafted`."""
    drafted: Drafted | None
    undrafted: str | None
    """Why there is none, where a large model was asked."""
    inference_time: float
    """Seconds."""
    as_of: str
    model: str


class ResponseInsights(Struct):
    responses: list[Insight]
    next_cursor: str | None


class Quote(Struct, kw_only=True, omit_defaults=True):
    """A sentence of a response. `place` is its number in the response's free text, from 1 on."""

    sentence: str
    response_id: str
    place: int
    topic: str | None = None


class Moods(Struct):
    positive: int
    neutral: int
    negative: int
    unsure: int


class Topic(Struct, kw_only=True):
    """`responses` of a form that have it among their `categories`."""

    name: str
    phrases: list[str]
    """That tell it from the other topics; none where the form names it."""
    responses: int
    sentiment: Moods
    """Of these responses, each as a whole."""
    response_ids: list[str]
    """Two or three that are typical."""
    quotes: list[Quote]


class MoodsFrom(Struct, kw_only=True):
    """Of responses submitted in the `bucket` that begins on the day `from` (UTC)."""

    begin: str = field(name="from")
    bucket: Literal["day", "week", "month"]
    positive: int
    neutral: int
    negative: int
    unsure: int


class FormDraft(Struct, kw_only=True):
    """A summary in the words of a large model. A draft: nobody has looked whether it is so."""

    summary: str | None
    undrafted: str | None
    """Why there is none."""
    draft: bool = True


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
    summary: str | UnsetType = UNSET
    """The largest topics, each with a sentence of a respondent. Not in messages to webhooks."""
    quotes: list[Quote] | UnsetType = UNSET
    """That the summary rests on. Not in messages to webhooks."""
    topics: list[Topic]
    """The largest first. In messages to webhooks without quotes."""
    sentiment_over_time: list[MoodsFrom]
    languages: dict[str, int]
    suspicions: dict[str, int]
    duplicates: int
    """Responses that nearly repeat an earlier one."""
    draft: FormDraft | UnsetType | None = UNSET
    """Where a large model wrote one. Not in messages to webhooks."""
