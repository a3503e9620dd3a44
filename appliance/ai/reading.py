"""What is found in one answer by itself: its mood, language, phrases, what it is suspected of.

What needs the other answers of the form (categories, duplicates) is settled when all are read; for that a
row keeps the vectors of its sentences and its signature.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from appliance.ai import duplicates, language, phrases, sentiment, suspicion, texts
from appliance.ai.engine import Embed, Engine, Vectors
from appliance.ai.sentiment import Head, Mood
from appliance.ai.topics import unit

VERSION: Final = f"reading-1/{sentiment.VERSION}"
"""Changes with whatever would find something else in the same text."""
SENTENCES: Final = 12
"""Sentences of an answer that get a vector: what comes after them bears on no category."""


class Reading(NamedTuple):
    result: dict[str, Any]
    text: str
    """That was read: clean, and of bounded length."""
    sentences: int
    """That have a vector."""
    vectors: bytes
    """Theirs (`unpacked`)."""
    signature: bytes
    """For `duplicates.repeated`."""
    inference_time: float
    """Seconds."""


def read(answers: Sequence[str], engine: Engine, head: Head) -> list[Reading]:
    """In the order of the answers, whatever they hold. Raises ModelFault."""
    cleaned = [texts.clean(each) for each in answers]
    started = time.monotonic()
    found = sentiment.read(cleaned, engine, head)
    shared = (time.monotonic() - started) / max(1, len(found))
    return [_read(text, mood, engine.embed, shared) for text, mood in zip(cleaned, found, strict=True)]


def _read(text: str, mood: Mood, embed: Embed, shared: float) -> Reading:
    started = time.monotonic()
    code = language.detect(text).code
    spoken = phrases.key_phrases(texts.without_links(text), code)
    suspected = suspicion.suspicions(text)
    vectors = sentence_vectors(text, embed)
    result = {
        "sentiment": mood.sentiment,
        "confidence": mood.confidence,
        "probabilities": mood.probabilities,
        "analysis": _told(mood, spoken, suspected),
        "language": code,
        "phrases": list(spoken),
        "suspicions": list(suspected),
        "categories": [],
        "duplicate_of": None,
    }
    signature = duplicates.signature(text)
    seconds = time.monotonic() - started + shared
    return Reading(result, text, len(vectors), packed(vectors), signature, seconds)


def _told(mood: Mood, spoken: Sequence[str], suspected: Sequence[str]) -> str:
    """In a sentence."""
    begun = "Mood unsure" if mood.sentiment == "unsure" else mood.sentiment.capitalize()
    about = f", about {', '.join(spoken[:3])}" if spoken else ""
    doubt = f"; suspected of {', '.join(suspected)}" if suspected else ""
    return f"{begun}{about}{doubt}."


# -- where vectors come from, and how a row keeps them


def sentences(text: str) -> list[str]:
    """Those of a clean text that have a vector, in their order."""
    return texts.sentences(text, SENTENCES)


def sentence_vectors(text: str, embed: Embed) -> Vectors:
    """(sentences, dimensions)."""
    return embed(sentences(text))


def packed(vectors: Vectors) -> bytes:
    """A byte a number: the direction stays the same to within a hundredth of a degree or so."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=1e-9)
    return bytes(np.round(vectors / largest * 127).astype(np.int8).tobytes())


def unpacked(raw: bytes, count: int) -> Vectors:
    """`count` vectors of length 1."""
    return unit(np.frombuffer(raw, dtype=np.int8).reshape(max(1, count), -1)[:count].astype(np.float32))
