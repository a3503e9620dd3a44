"""Who else tells a text's mood: two lexicons, and the language model alone, without a head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from appliance.ai.engine import Engine
from appliance.ai.texts import clean

VADER_CUT: Final = 0.05
"""Of the compound score, as its authors say."""
TEXTBLOB_CUT: Final = 0.05
"""Of the polarity; its authors name none."""
_LABELS: Final = ("positive", "negative", "neutral")
_EXAMPLES: Final = (
    ("The staff was friendly and quick.", "positive"),
    ("My order came late and broken.", "negative"),
    ("We ordered two of them in May.", "neutral"),
    ("Great value, I would buy it again.", "positive"),
    ("Nobody answered my calls.", "negative"),
    ("I use it at work and at home.", "neutral"),
)


class Told(NamedTuple):
    label: str
    confidence: float | None
    """How likely the label is, where that is said."""
    is_claimed: bool | None = None
    """Whether it is told, or `unsure` instead; None: whoever tells is never unsure."""


Peer = Callable[[Sequence[str]], list[Told]]


def vader(texts: Sequence[str]) -> list[Told]:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    judge = SentimentIntensityAnalyzer()
    return [_cut(judge.polarity_scores(text)["compound"], VADER_CUT) for text in texts]


def textblob(texts: Sequence[str]) -> list[Told]:
    from textblob import TextBlob

    return [_cut(TextBlob(text).sentiment.polarity, TEXTBLOB_CUT) for text in texts]


def _cut(score: float, cut: float) -> Told:
    return Told("positive" if score >= cut else "negative" if score <= -cut else "neutral", None)


def model_alone(engine: Engine) -> Peer:
    """Three labels, scored after six examples."""
    prefix = "".join(f"Text: {text}\nMood: {label}\n\n" for text, label in _EXAMPLES) + "Text:"

    def tell(texts: Sequence[str]) -> list[Told]:
        rests = [f" {' '.join(clean(text).split())[:1000] or '-'}\nMood:" for text in texts]
        rows = engine.score_many(prefix, rests, [f" {label}" for label in _LABELS])
        shares = np.exp(rows) / np.exp(rows).sum(axis=1, keepdims=True)
        return [Told(_LABELS[int(row.argmax())], float(row.max())) for row in shares]

    return tell
