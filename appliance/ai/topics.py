"""What the sentences of a form's answers are about: categories that the form names, or groups found in them.

All answers of one form have much in common (it is about a clinic), and that hides what sets them apart; so
what their vectors have in common is taken out first. Measured by hand-labelled answers to three forms
(`tests/ai/test_topics.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.ai import linkage, phrases
from appliance.ai.engine import Embed, Vectors

SEEN: Final = 2_000
"""Sentences that groups are sought in; the others are put to the nearest."""
MOST: Final = 12
"""Groups at most, the largest."""
LEAST: Final = 3
"""Sentences of a group; of many hundreds, a hundredth of them."""
_ALIKE: Final = 0.1  # mean cosine within a group: less lumps topics together, more splits them
_NEAR: Final = 0.3  # cosine to a group's middle from which on a sentence belongs to it
_LABEL_NEAR: Final = 0.2  # the same to a label's words
_CLOSE: Final = 0.06  # labels that are so much farther than the nearest are named too
_NAMES: Final = 0.15  # cosine of a phrase to what it is to name
_WEIGHED: Final = 12  # phrases of a group that are weighed as its name


@dataclass(frozen=True, slots=True)
class Space:
    """Where sentences of one form are compared: without what they all have in common."""

    middle: Vectors
    centres: Vectors
    near: float
    close: float

    def scores(self, vectors: Vectors) -> Vectors:
        """(sentences, centres): the cosine where the sentence belongs there, else 0."""
        if not len(self.centres) or not len(vectors):
            return np.zeros((len(vectors), len(self.centres)), dtype=np.float32)
        found: Vectors = unit(vectors - self.middle) @ self.centres.T
        best = found.max(axis=1, keepdims=True)
        return np.where((found >= self.near) & (found >= best - self.close), found, 0)


def nowhere() -> Space:
    """Where nothing belongs."""
    nothing = np.empty((0, 0), dtype=np.float32)
    return Space(nothing[:, :0].reshape(0), nothing, _NEAR, 0.0)


def of_labels(vectors: Vectors, labels: Vectors) -> Space:
    """Of categories that somebody named, by the vectors of their words."""
    middle = labels.mean(axis=0) if len(labels) > 2 else _middle(vectors)
    return Space(_middle(vectors), unit(labels - middle), _LABEL_NEAR, _CLOSE)


def sought(vectors: Vectors) -> Space:
    """Of groups in these sentences (at most `SEEN`), the largest first."""
    middle = _middle(vectors)
    apart = unit(vectors - middle)
    sizes = Counter(first := linkage.groups(apart, _ALIKE).tolist())
    least = max(LEAST, len(vectors) // 100)
    order = sorted((at for at, size in sizes.items() if size >= least), key=lambda at: (-sizes[at], at))
    places = np.array(first)
    centres = [apart[places == at].sum(axis=0) for at in order[:MOST]]
    return Space(middle, unit(np.stack(centres)) if centres else vectors[:0], _NEAR, 0.0)


def named(
    space: Space, vectors: Vectors, spoken: Sequence[Sequence[str]], embed: Embed
) -> tuple[Space, list[tuple[str, ...]]]:
    """The groups that have a name, and for each the phrases that tell it from the others, best first.

    `spoken` has the phrases of each sentence. A name is in two sentences at least and means what the group
    means; a group that has none ("thank you", "see above") is no topic.
    """
    of = space.scores(vectors)
    everything = phrases.Counts(spoken)
    kept: list[int] = []
    names: list[tuple[str, ...]] = []
    for at, centre in enumerate(space.centres):
        members = [spoken[int(place)] for place in np.flatnonzero(of[:, at])]
        found = _best(phrases.weights(members, everything), space.middle, centre, embed)
        if found and found[0] not in {name[0] for name in names}:
            kept.append(at)
            names.append(found)
    return Space(space.middle, space.centres[kept], space.near, space.close), names


def _best(weights: dict[str, float], middle: Vectors, centre: Vectors, embed: Embed) -> tuple[str, ...]:
    listed = sorted(weights, key=lambda each: (-weights[each], each))[:_WEIGHED]
    if not listed:
        return ()
    near = unit(embed(listed) - middle) @ centre
    weighed = {
        each: weights[each] * float(cos) for each, cos in zip(listed, near, strict=True) if cos >= _NAMES
    }
    return phrases.chosen(weighed, 5)


def _middle(vectors: Vectors) -> Vectors:
    middle: Vectors = vectors.mean(axis=0) if len(vectors) else np.zeros(vectors.shape[1:], dtype=np.float32)
    return middle


def unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=np.float32)


def evenly(total: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the places 0 to `total`, as far from each other as can be."""
    return (
        np.linspace(0, total - 1, min(total, most)).astype(np.intp) if total else np.empty(0, dtype=np.intp)
    )
