"""The mood of a text by the language model alone: labels scored after examples.

What a text says cannot change the form of the answer: there are three labels, and each gets a probability.
The confidence is that of the likeliest label among the three, not calibrated on anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from appliance.ai.engine import ScoreMany

VERSION = "moods-1"
"""Changes with what is asked: results are kept with it."""
UNSURE = 0.5
"""Below this confidence nothing is claimed."""
_LABELS = ("positive", "negative", "neutral")
_LONGEST = 1_000
"""Characters of a text that are read: some 250 tokens."""
_EXAMPLES = (
    ("The staff was friendly and quick.", "positive"),
    ("My order came late and broken.", "negative"),
    ("We ordered two of them in May.", "neutral"),
    ("Great value, I would buy it again.", "positive"),
    ("Nobody answered my calls.", "negative"),
    ("I use it at work and at home.", "neutral"),
)
PREFIX = "".join(f"Text: {text}\nMood: {label}\n\n" for text, label in _EXAMPLES) + "Text:"


class Mood(NamedTuple):
    sentiment: str
    """One of the labels, or `unsure`."""
    confidence: float
    probabilities: dict[str, float]


def read(texts: Sequence[str], score_many: ScoreMany) -> list[Mood]:
    """In the order of the texts. Raises ModelFault."""
    if not texts:
        return []
    rests = [f" {' '.join(text.split())[:_LONGEST] or '-'}\nMood:" for text in texts]
    rows = score_many(PREFIX, rests, [f" {label}" for label in _LABELS])
    shares = np.exp(rows - rows.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return [_mood(row) for row in shares]


def _mood(shares: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Mood:
    likeliest = int(shares.argmax())
    confidence = round(float(shares[likeliest]), 3)
    told = {label: round(float(share), 3) for label, share in zip(_LABELS, shares, strict=True)}
    return Mood(_LABELS[likeliest] if confidence >= UNSURE else "unsure", confidence, told)
