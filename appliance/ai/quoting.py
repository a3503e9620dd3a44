"""Which sentences stand for many: near the middle of what is said, and unlike each other.

Maximal marginal relevance (Carbonell and Goldstein 1998) over the nearest of each topic.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from appliance.ai.engine import Vectors

CANDIDATES: Final = 12
"""Sentences of a topic that are looked at."""
_OWN: Final = 0.6  # what being near the middle weighs against being unlike those that were taken before
_SHORT, _LONG = 20, 240
"""Characters of a sentence that says something, and of one that is a quote rather than a story."""


class Place(NamedTuple):
    """Of a sentence: the number of its response, and its own among the response's from 0 on."""

    seq: int
    sentence: int


class Nearest:
    """The few sentences of a topic that are nearest to its middle, whatever number is offered."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []

    def offer(self, score: float, place: Place) -> None:
        one = (score, -place.seq, -place.sentence)
        if len(self._heap) < CANDIDATES:
            heapq.heappush(self._heap, one)
        else:
            heapq.heappushpop(self._heap, one)

    def best_first(self) -> list[tuple[float, Place]]:
        """Equal ones in the order of their numbers."""
        return [(score, Place(-seq, -sentence)) for score, seq, sentence in sorted(self._heap, reverse=True)]


def chosen(scores: Sequence[float], vectors: Vectors, texts: Sequence[str], most: int) -> list[int]:
    """Which of some sentences to quote, the best first; those of a readable length go first."""
    worth = np.array(scores, dtype=np.float64)
    worth -= [0.0 if _SHORT <= len(text) <= _LONG else 0.5 for text in texts]
    taken: list[int] = []
    while len(taken) < min(most, len(texts)):
        alike = (vectors @ vectors[taken].T).max(axis=1) if taken else np.zeros(len(texts))
        value = _OWN * worth - (1 - _OWN) * alike
        value[taken] = -np.inf
        taken.append(int(value.argmax()))
    return taken
