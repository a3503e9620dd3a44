"""The mood of a text, and how likely it is: a head over the numbers of `mood_features`, calibrated.

A head is a multinomial logistic regression. It is good for the very model files it was trained with, named
by their digests; for others there is one that does without. Which data, how, and how well:
docs/ai-evaluation.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np

from appliance.ai import language, mood_features, suspicion
from appliance.ai.engine import Engine
from appliance.ai.mood_features import Columns, Group
from appliance.ai.texts import clean

FILE: Final = Path(__file__).with_name("sentiment.json")
VERSION: Final = "sentiment-1"
"""Changes with what is read, or how: results are kept with it."""
LABELS: Final = ("negative", "neutral", "positive")


class Mood(NamedTuple):
    sentiment: str
    """One of the labels, or `unsure`."""
    confidence: float
    """How likely the likeliest label is."""
    probabilities: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    name: str
    groups: tuple[Group, ...]
    weights: Columns
    """(columns, labels): for the columns as they come, with temperature and scale in it."""
    offsets: Columns
    unsure_below: float
    digest: str
    """The beginning of the SHA-256 of its numbers."""

    def probabilities(self, rows: Columns) -> Columns:
        """(texts, labels), each row of sum 1."""
        sums = rows @ self.weights + self.offsets
        shares = np.exp(sums - sums.max(axis=1, keepdims=True))
        return cast(Columns, shares / shares.sum(axis=1, keepdims=True))


UNKNOWN: Final = Mood("unsure", round(1 / 3, 3), dict.fromkeys(LABELS, round(1 / 3, 3)))
"""Of what no head was trained for: no words, another language than English."""


def head_for(chat_sha256: str | None, embedding_sha256: str | None) -> Head:
    """The best one that these model files allow; None: there is no such model."""
    given = {"chat": chat_sha256, "embedding": embedding_sha256}
    for raw in _kept()["heads"]:
        if all(given[purpose] == digest for purpose, digest in raw["models"].items()):
            return _head(raw["name"])
    raise LookupError(f"{FILE} has no head for valence alone")


def read(texts: Sequence[str], engine: Engine, head: Head) -> list[Mood]:
    """In the order of the texts; sentences that speak to a machine are left out. Raises ModelFault."""
    return read_clean([_answer(text) for text in texts], engine, head)


def read_clean(cleaned: Sequence[str], engine: Engine, head: Head) -> list[Mood]:
    """The same of clean texts, all that they say. Raises ModelFault."""
    moods = [UNKNOWN] * len(cleaned)
    known = [place for place, text in enumerate(cleaned) if _is_readable(text)]
    if known:
        rows = mood_features.of([cleaned[place] for place in known], head.groups, engine)
        for place, shares in zip(known, head.probabilities(rows), strict=True):
            moods[place] = _mood(shares, head.unsure_below)
    return moods


def _answer(text: str) -> str:
    """What of it is to be read; nothing of gibberish."""
    cleaned = clean(text)
    return "" if suspicion.is_gibberish(cleaned) else suspicion.without_instructions(cleaned)


def _is_readable(text: str) -> bool:
    """Whether it is English, or so short that its language cannot be told. The head has seen no other."""
    found = language.detect(text)
    return found.code == "en" or (found.code is None and any(letter.isalnum() for letter in text))


def _mood(shares: Columns, unsure_below: float) -> Mood:
    likeliest = int(shares.argmax())
    confidence = round(float(shares[likeliest]), 3)
    told = {label: round(float(share), 3) for label, share in zip(LABELS, shares, strict=True)}
    return Mood(LABELS[likeliest] if confidence >= unsure_below else "unsure", confidence, told)


@cache
def _kept() -> dict[str, Any]:
    return cast(dict[str, Any], json.loads(FILE.read_text("utf-8")))


@cache
def _head(name: str) -> Head:
    raw = next(raw for raw in _kept()["heads"] if raw["name"] == name)
    weights, offsets = np.array(raw["weights"]), np.array(raw["offsets"])
    digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()[:16]
    return Head(name, tuple(raw["groups"]), weights, offsets, raw["unsure_below"], digest)
