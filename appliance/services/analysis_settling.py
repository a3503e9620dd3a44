"""What an analysis finds in the answers of a form together, once each has been read.

Contract: made of the stored results alone that were read in one way, so that the same results say the same,
whichever job or attempt looks. Memory is a few hundred bytes a response and what 2,000 sentences take.
Categories and duplicates are written into the results as they are found, a window at a time; in between it
gives way, and whoever comes next finds them done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from appliance.ai import phrases, quoting, reading, topics
from appliance.ai.engine import Embed, Vectors
from appliance.ai.overview import FIELDS, Overview, shares
from appliance.ai.quoting import Nearest, Place
from appliance.ai.topics import Space
from appliance.services.context import Context
from appliance.stores import ai_results, forms
from appliance.stores.mongo import Document

WINDOW = 500
"""Results that are held at a time."""
_WRITTEN = 2_000
"""Results that are changed before others are let go first: some seconds."""
_EXAMPLES = 3
"""Quotes of a topic."""
_SUMMARY = 5
"""Topics that are summed up."""
_CATEGORIES = 5
"""Of one response, the nearest."""

Candidates = list[tuple[float, Place]]
"""Sentences with how near they are, the nearest first."""
Pause = Callable[[], Awaitable[None]]
"""Called in between; raises when others are to go first."""


class Sentence(NamedTuple):
    text: str
    language: str | None
    vector: Vectors


class _Topic:
    def __init__(self, name: str, spoken: Sequence[str]) -> None:
        self.name, self.spoken = name, spoken
        self.moods: Counter[str] = Counter()
        self._nearest: dict[str, Nearest] = {}
        """By mood."""

    @property
    def count(self) -> int:
        return self.moods.total()

    def take(self, mood: str) -> None:
        self.moods[mood] += 1

    def offer(self, mood: str, score: float, place: Place) -> None:
        self._nearest.setdefault(mood, Nearest()).offer(score, place)

    def candidates(self) -> Candidates:
        """Its nearest sentences, of the mood that most of its responses have; of all where that has one."""
        order = sorted(self._nearest, key=lambda mood: (-self.moods[mood], mood))
        listed = [self._nearest[mood].best_first() for mood in order]
        first = listed[0] if listed else []
        return first if len(first) > 1 else [each for some in listed for each in some]


async def settle(
    context: Context, form_id: str, made_by: str, labels: Sequence[str], embed: Embed, pause: Pause
) -> dict[str, Any]:
    """The parts of the form's result that its answers make. Raises ModelFault, and what `pause` raises."""
    whole = Overview()
    async for rows in _windows(context, form_id, FIELDS):
        whole.take(row for row in rows if row["made_by"] == made_by)
    whole.settle()
    space, found = await _space(context, form_id, whole, labels, embed)
    rest = Nearest()
    await _assign(context, form_id, whole, space, found, rest, pause)
    spoken = sorted((topic for topic in found if topic.count), key=lambda topic: -topic.count)
    quotes = await _quotes(context, form_id, [topic.candidates() for topic in spoken], _EXAMPLES)
    listed = [_told(topic, each) for topic, each in zip(spoken, quotes, strict=True)]
    return {
        "responses": len(whole.ids),
        "sentiment": {mood: count for mood, count in shares(whole.moods).items() if count},
        "topics": listed,
        "quotes": _summary(listed) or (await _quotes(context, form_id, [rest.best_first()], _EXAMPLES))[0],
        "sentiment_over_time": whole.over_time(),
        "languages": _most_first(whole.languages),
        "suspicions": _most_first(whole.suspicions),
        "duplicates": sum(each is not None for each in whole.duplicate_of),
    }


def _told(topic: _Topic, quotes: list[Document]) -> dict[str, Any]:
    return {
        "name": topic.name,
        "phrases": list(topic.spoken),
        "responses": topic.count,
        "sentiment": shares(topic.moods),
        "quotes": quotes,
    }


def _summary(listed: Sequence[dict[str, Any]]) -> list[Document]:
    """The best quote of each of the largest topics, each response once."""
    taken: dict[str, Document] = {}
    for topic in listed[:_SUMMARY]:
        fresh = (quote for quote in topic["quotes"] if quote["response_id"] not in taken)
        for quote in islice(fresh, 1):
            taken[quote["response_id"]] = {**quote, "topic": topic["name"]}
    return list(taken.values())


def _most_first(counted: Counter[str]) -> dict[str, int]:
    return dict(sorted(counted.items(), key=lambda each: (-each[1], each[0])))


async def _space(
    context: Context, form_id: str, whole: Overview, labels: Sequence[str], embed: Embed
) -> tuple[Space, list[_Topic]]:
    """Where sentences are compared: with the form's own categories, or with the groups that there are."""
    sample = [each async for each in _sampled(context, form_id, whole)]
    if not sample:
        return topics.nowhere(), []
    vectors = np.stack([each.vector for each in sample])
    if labels:
        return topics.of_labels(vectors, embed(labels)), [_Topic(label, ()) for label in labels]
    spoken = [phrases.candidates(each.text, each.language) for each in sample]
    space, names = topics.named(topics.sought(vectors), vectors, spoken, embed)
    return space, [_Topic(name[0], name) for name in names]


async def _sampled(context: Context, form_id: str, whole: Overview) -> AsyncIterator[Sentence]:
    """Up to `topics.SEEN` of the form's sentences."""
    by_number: dict[int, list[int]] = {}
    for at, sentence in whole.sample(topics.SEEN):
        by_number.setdefault(whole.seqs[at], []).append(sentence)
    async for rows in _windows(
        context, form_id, ("seq", "prompt", "sentences", "vectors", "result.language")
    ):
        for row in rows:
            if (chosen := by_number.get(row["seq"])) is not None:
                texts = reading.sentences(row["prompt"])
                vectors = reading.unpacked(row["vectors"], row["sentences"])
                for sentence in chosen:
                    yield Sentence(texts[sentence], row["result"]["language"], vectors[sentence])


async def _assign(
    context: Context,
    form_id: str,
    whole: Overview,
    space: Space,
    found: Sequence[_Topic],
    rest: Nearest,
    pause: Pause,
) -> None:
    """Each response's categories and what it repeats, into its result; counts and candidates into `found`."""
    place = {seq: at for at, seq in enumerate(whole.seqs)}
    fields = ("seq", "sentences", "vectors", "result.categories", "result.duplicate_of")
    written = 0
    async for rows in _windows(context, form_id, fields):
        changes: dict[str, Document] = {}
        for row in rows:
            if (at := place.get(row["seq"])) is None:
                continue
            categories = _categories(row, at, whole, space, found, rest)
            repeated = whole.duplicate_of[at]
            now = {
                "categories": categories,
                "duplicate_of": None if repeated is None else whole.ids[repeated],
            }
            if any(row["result"][name] != value for name, value in now.items()):
                changes[row["_id"]] = {f"result.{name}": value for name, value in now.items()}
        await ai_results.change(context.db, changes)
        written += len(changes)
        if written >= _WRITTEN:
            written = 0
            await pause()


def _categories(
    row: Document, at: int, whole: Overview, space: Space, found: Sequence[_Topic], rest: Nearest
) -> list[str]:
    if not whole.counts[at] or not row["sentences"]:
        return []
    vectors = reading.unpacked(row["vectors"], row["sentences"])
    if whole.is_quotable(at):
        for sentence, score in enumerate(vectors @ space.middle if len(space.middle) else ()):
            rest.offer(float(score), Place(row["seq"], sentence))
    scores = space.scores(vectors)
    best = scores.max(axis=0)
    order = [int(topic) for topic in np.argsort(-best, kind="stable")[:_CATEGORIES] if best[topic] > 0]
    for topic in order:
        found[topic].take(whole.moods[at])
        if whole.is_quotable(at):
            sentence = int(scores[:, topic].argmax())
            found[topic].offer(whole.moods[at], float(best[topic]), Place(row["seq"], sentence))
    return [found[topic].name for topic in order]


async def _quotes(
    context: Context, form_id: str, candidates: Sequence[Candidates], most: int
) -> list[list[Document]]:
    """For each the places of its best sentences: as `{response_id, revision, sentence}`, no words."""
    found = []
    for listed in candidates:
        numbers = sorted({place.seq for _, place in listed})
        fields = ("seq", "revision", "prompt", "sentences", "vectors")
        rows = {row["seq"]: row for row in await ai_results.by_numbers(context.db, form_id, numbers, fields)}
        there = [(score, place) for score, place in listed if place.seq in rows]
        texts = [reading.sentences(rows[place.seq]["prompt"])[place.sentence] for _, place in there]
        vectors = [
            reading.unpacked(rows[place.seq]["vectors"], rows[place.seq]["sentences"])[place.sentence]
            for _, place in there
        ]
        taken = quoting.chosen([score for score, _ in there], np.array(vectors), texts, most) if there else []
        found.append([_quote(rows[there[at][1].seq], there[at][1].sentence) for at in taken])
    return found


def _quote(row: Document, sentence: int) -> Document:
    return {"response_id": row["_id"], "revision": row["revision"], "sentence": sentence}


async def _windows(context: Context, form_id: str, fields: Sequence[str]) -> AsyncIterator[list[Document]]:
    """All results of the form that there are now, by number."""
    high = int((await forms.get_counters(context.db, form_id))["seq"])
    for after in range(0, high, WINDOW):
        yield await ai_results.numbered(context.db, form_id, after, min(after + WINDOW, high), fields)
