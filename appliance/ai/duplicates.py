"""Answers that are nearly the same: found by MinHash over runs of five letters, then compared (Broder 1997).

Linear in the number of texts, and always the same groups. Short answers ("no", "all good") are alike without
meaning anything by it, so texts of fewer than 25 letters are left alone.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from appliance.ai.texts import words

LEAST: Final = 25
"""Letters of a text that can be a duplicate."""
ALIKE: Final = 0.8
"""Share of runs in common (Jaccard) from which on two texts are nearly the same."""
_READ: Final = 2_000
_RUN: Final = 5
_BANDS, _ROWS = 16, 3
_PRIME: Final = 4_294_967_311
_random = np.random.default_rng(20261127)
_FACTORS: Final = _random.integers(1, 2**31, _BANDS * _ROWS, dtype=np.uint64)
_ADDENDS: Final = _random.integers(0, 2**31, _BANDS * _ROWS, dtype=np.uint64)

_Hashes = NDArray[np.uint64]


def near_duplicates(texts: Sequence[str]) -> list[int | None]:
    """For each text the place of the first one that it nearly repeats; None: it repeats none."""
    runs = [_runs(text) for text in texts]
    first = list(range(len(texts)))
    for one, other in _pairs(runs):
        mine, theirs = _root(first, one), _root(first, other)
        if mine != theirs and _jaccard(runs[one], runs[other]) >= ALIKE:
            first[max(mine, theirs)] = min(mine, theirs)
    roots = [_root(first, place) for place in range(len(texts))]
    return [None if root == place else root for place, root in enumerate(roots)]


def _runs(text: str) -> _Hashes:
    letters = " ".join(words(text[:_READ].casefold()))
    if len(letters) < LEAST:
        return np.empty(0, dtype=np.uint64)
    raw = letters.encode()
    return np.unique(
        np.array([zlib.crc32(raw[at : at + _RUN]) for at in range(len(raw) - _RUN + 1)], dtype=np.uint64)
    )


def _pairs(runs: Sequence[_Hashes]) -> Iterator[tuple[int, int]]:
    """Those that share a band of their signatures: each with the one before it in that band."""
    buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
    for place, hashes in enumerate(runs):
        if len(hashes):
            signature = ((hashes[:, None] * _FACTORS + _ADDENDS) % np.uint64(_PRIME)).min(axis=0)
            for band in range(_BANDS):
                buckets[band, signature[band * _ROWS : (band + 1) * _ROWS].tobytes()].append(place)
    for places in buckets.values():
        yield from pairwise(places)


def _jaccard(one: _Hashes, other: _Hashes) -> float:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


def _root(first: list[int], place: int) -> int:
    while first[place] != place:
        first[place] = first[first[place]]
        place = first[place]
    return place
