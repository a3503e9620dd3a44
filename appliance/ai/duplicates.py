"""Answers that are nearly the same: signatures by MinHash over runs of five letters, compared (Broder 1997).

A signature is 192 bytes and says how many runs two texts share to within some hundredths, so answers are
compared without their texts: a hundred thousand in 20 MB and a few seconds, always with the same result.
Short answers ("no", "all good") are alike without meaning anything by it, so texts of fewer than 25 letters
are left alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from appliance.ai.texts import words

LEAST: Final = 25
"""Letters of a text that can be a duplicate."""
ALIKE: Final = 0.8
"""Share of runs in common (Jaccard, as signatures tell it) from which on two texts are nearly the same."""
_READ: Final = 2_000
_RUN: Final = 5
_BANDS, _ROWS = 16, 3
SIZE: Final = 4 * _BANDS * _ROWS
"""Bytes of a signature."""
_PRIME: Final = 4_294_967_311
_random = np.random.default_rng(20261127)
_FACTORS: Final = _random.integers(1, 2**31, _BANDS * _ROWS, dtype=np.uint64)
_ADDENDS: Final = _random.integers(0, 2**31, _BANDS * _ROWS, dtype=np.uint64)

Signatures: TypeAlias = NDArray[np.uint32]
"""(texts, 48); a row of zeros: too short to be a duplicate."""


def signature(text: str) -> bytes:
    """Of a clean text: a row of `Signatures`, little-endian."""
    hashes = _runs(text)
    if not len(hashes):
        return bytes(SIZE)
    least = ((hashes[:, None] * _FACTORS + _ADDENDS) % np.uint64(_PRIME)).min(axis=0)
    return bytes((least % np.uint64(2**32 - 1) + np.uint64(1)).astype("<u4").tobytes())


def repeated(signatures: Signatures) -> list[int | None]:
    """For each text the place of the first one that it nearly repeats; None: it repeats none."""
    first = list(range(len(signatures)))
    for one, other in _pairs(signatures):
        mine, theirs = _root(first, one), _root(first, other)
        if mine != theirs and np.mean(signatures[one] == signatures[other]) >= ALIKE:
            first[max(mine, theirs)] = min(mine, theirs)
    roots = [_root(first, place) for place in range(len(signatures))]
    return [None if root == place else root for place, root in enumerate(roots)]


def _runs(text: str) -> NDArray[np.uint64]:
    letters = " ".join(words(text[:_READ].casefold()))
    if len(letters) < LEAST:
        return np.empty(0, dtype=np.uint64)
    raw = letters.encode()
    return np.unique(
        np.array([zlib.crc32(raw[at : at + _RUN]) for at in range(len(raw) - _RUN + 1)], dtype=np.uint64)
    )


def _pairs(signatures: Signatures) -> Iterator[tuple[int, int]]:
    """Those that share a band of their signatures: each with the one before it in that band."""
    spoken = np.flatnonzero(signatures.any(axis=1))
    for band in range(_BANDS):
        rows = np.ascontiguousarray(signatures[spoken, band * _ROWS : (band + 1) * _ROWS])
        keys = rows.view([("", rows.dtype)] * _ROWS).ravel()
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
        yield from zip(spoken[order[same]].tolist(), spoken[order[same + 1]].tolist(), strict=True)


def _root(first: list[int], place: int) -> int:
    while first[place] != place:
        first[place] = first[first[place]]
        place = first[place]
    return place
