"""Which categories a text belongs to: those that the form names, or groups found in its answers.

Both compare embeddings by their cosine. Groups are found by spherical k-means that begins with the texts
farthest from each other, so the same texts always give the same groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.ai.engine import Vectors

BELONGS: Final = 0.28
"""Cosine to a category's centre from which on a text belongs to it."""
_CLOSE: Final = 0.06  # to the nearest category: others within this are named too
_MOST: Final = 3  # categories of one text
_SEEN: Final = 2_000  # texts that groups are sought in; the others are put to the nearest
_ROUNDS: Final = 12
_ALIKE: Final = 0.75  # cosine of two groups that are one
_LEAST: Final = 2


@dataclass(frozen=True, slots=True)
class Category:
    name: str
    score: float
    """The cosine to its centre."""


def by_labels(vectors: Vectors, labels: Sequence[str], centres: Vectors) -> list[tuple[Category, ...]]:
    """For each text the labels it belongs to, nearest first; none if it is far from all of them.

    `centres` has a row for each label: the embedding of its words, or `centre` of its examples.
    """
    if not labels or not len(vectors):
        return [()] * len(vectors)
    scores: Vectors = vectors @ centres.T
    return [_named(labels, row) for row in scores]


def _named(labels: Sequence[str], row: NDArray[np.float32]) -> tuple[Category, ...]:
    order = np.argsort(-row, kind="stable")[:_MOST]
    least = max(BELONGS, float(row[order[0]]) - _CLOSE)
    return tuple(Category(labels[at], round(float(row[at]), 3)) for at in order if row[at] >= least)


def centre(vectors: Vectors) -> Vectors:
    """The mean direction of some embeddings."""
    middle: Vectors = _unit(vectors.sum(axis=0, keepdims=True))[0]
    return middle


@dataclass(frozen=True, slots=True)
class Groups:
    of: NDArray[np.intp]
    """The group of each text, the largest group is 0; -1: it is in none."""
    centres: Vectors


def group(vectors: Vectors, most: int = 12) -> Groups:
    """At most `most` groups of texts that are about the same. Time grows with the number of texts alone."""
    total = len(vectors)
    if total < 2 * _LEAST:
        return Groups(np.full(total, -1), vectors[:0])
    seen = vectors[np.linspace(0, total - 1, min(total, _SEEN)).astype(int)]
    centres = _merged(_k_means(seen, min(most, max(2, round((len(seen) / 2) ** 0.5)))))
    scores = vectors @ centres.T
    of = np.where(scores.max(axis=1) >= BELONGS, scores.argmax(axis=1), -1)
    sizes = np.bincount(of[of >= 0], minlength=len(centres))
    order = [at for at in np.argsort(-sizes, kind="stable") if sizes[at] >= max(_LEAST, total // 100)]
    places = np.full(len(centres) + 1, -1)
    places[order] = np.arange(len(order))
    return Groups(places[of], centres[order])


def _k_means(vectors: Vectors, count: int) -> Vectors:
    centres = _farthest(vectors, count)
    for _ in range(_ROUNDS):
        nearest = (vectors @ centres.T).argmax(axis=1)
        moved = np.stack(
            [
                vectors[nearest == at].sum(axis=0) if (nearest == at).any() else centres[at]
                for at in range(len(centres))
            ]
        )
        moved = _unit(moved)
        if np.allclose(moved, centres, atol=1e-5):
            break
        centres = moved
    return centres


def _farthest(vectors: Vectors, count: int) -> Vectors:
    """Begin in the middle, then again and again with the text that is farthest from all chosen ones."""
    chosen = [int((vectors @ vectors.mean(axis=0)).argmax())]
    nearest = vectors @ vectors[chosen[0]]
    while len(chosen) < count:
        at = int(nearest.argmin())
        if nearest[at] > 0.95:
            break
        chosen.append(at)
        nearest = np.maximum(nearest, vectors @ vectors[at])
    return vectors[chosen]


def _merged(centres: Vectors) -> Vectors:
    """Each with those that are nearly the same."""
    kept: list[Vectors] = []
    for one in centres:
        for at, other in enumerate(kept):
            if float(one @ other / np.linalg.norm(other)) >= _ALIKE:
                kept[at] = other + one
                break
        else:
            kept.append(one)
    return _unit(np.stack(kept))


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)
