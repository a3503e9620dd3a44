"""What was found in a form's answers together, as the API shows it: places of quotes become their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET

from appliance.clock import rfc3339
from appliance.services import analysis_quotes
from appliance.services.analysis_quotes import Key
from appliance.services.analysis_shapes import FormDraft, Insights, Moods, MoodsFrom, Quote, Topic
from appliance.services.context import Context
from appliance.stores.mongo import Document

_Words = Mapping[Key, str]


async def whole(context: Context, row: Document) -> Insights:
    """With the words of those who still say so; a topic that nobody can be quoted on any more is left out."""
    result = row["result"]
    wanted = [*result.get("quotes", []), *(each for topic in _topics(row) for each in topic["quotes"])]
    words = await analysis_quotes.words(context, wanted)
    found = without_words(row)
    found.topics = [
        _topic(topic, words)
        for topic in _topics(row)
        if not topic["quotes"] or _quotes(topic["quotes"], words)
    ]
    found.quotes = _quotes(result.get("quotes", []), words)
    found.summary = _summary(found.topics, found.quotes)
    draft = result.get("draft")
    found.draft = None if draft is None else FormDraft(summary=draft["summary"], undrafted=draft["undrafted"])
    return found


def without_words(row: Document) -> Insights:
    """The same without what respondents wrote: for messages, which are kept for weeks and go anywhere."""
    result = row["result"]
    return Insights(
        form_id=row["form_id"],
        as_of=rfc3339(row["created_at"]),
        model=row["model"],
        analysis=result["analysis"],
        confidence=result["confidence"],
        inference_time=row["inference_time"],
        responses=result["responses"],
        sentiment=result["sentiment"],
        topics=[_topic(topic, {}) for topic in _topics(row)],
        sentiment_over_time=[
            MoodsFrom(begin=each["from"], **{name: each[name] for name in each if name != "from"})
            for each in result.get("sentiment_over_time", [])
        ],
        languages=result.get("languages", {}),
        suspicions=result.get("suspicions", {}),
        duplicates=result.get("duplicates", 0),
        draft=UNSET,
    )


def _topics(row: Document) -> list[dict[str, Any]]:
    return list(row["result"].get("topics", []))


def _topic(topic: Mapping[str, Any], words: _Words) -> Topic:
    quotes = _quotes(topic["quotes"], words)
    ids = (
        [quote.response_id for quote in quotes]
        if words
        else [each["response_id"] for each in topic["quotes"]]
    )
    return Topic(
        name=topic["name"],
        phrases=topic["phrases"],
        responses=topic["responses"],
        sentiment=Moods(**topic["sentiment"]),
        response_ids=list(dict.fromkeys(ids)),
        quotes=quotes,
    )


def _quotes(quotes: Sequence[Mapping[str, Any]], words: _Words) -> list[Quote]:
    return [
        Quote(
            sentence=words[key],
            response_id=key.response_id,
            place=key.sentence + 1,
            topic=quote.get("topic"),
        )
        for quote in quotes
        if (key := analysis_quotes.key(quote)) in words
    ]


def _summary(topics: Sequence[Topic], quotes: Sequence[Quote]) -> str:
    """Their own words, with how many say something like that."""
    counts = {topic.name: topic.responses for topic in topics}
    lines = [
        f"{quote.topic} ({counts[quote.topic]}): “{quote.sentence}”"
        if quote.topic in counts
        else f"“{quote.sentence}”"
        for quote in quotes
    ]
    return "\n".join(lines)
