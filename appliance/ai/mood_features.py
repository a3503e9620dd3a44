"""What the mood of a text is judged by: numbers, in columns that a head was trained on.

`model`: how probable the chat model finds each of some words after the text. What a text says cannot add one.
`words`: the valence of what was written. `vectors`: the text's embedding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from appliance.ai import valence
from appliance.ai.engine import Engine, Refused, ScoreMany, Scores

Group = Literal["model", "words", "vectors"]
Columns = NDArray[np.float64]
_FEWEST = 400
"""Bytes that surely are no more tokens than can be scored."""
_HEAD, _TAIL = 600, 400
"""Characters of a longer text that the chat model reads: its beginning, and its end, where the verdict is."""
BEFORE: Final = "People were asked what they think, and answered in their own words.\n\nText:"
BEHIND: Final = "\nIn one word, it was"
WORDS: Final = (
    "great good okay fine bad terrible awful excellent disappointing poor perfect amazing horrible boring "
    "useless nothing interesting average wonderful best worst love hate happy sad angry confusing helpful "
    "broken not"
).split()
"""Of one token each."""
PROMPT_SHA256: Final = hashlib.sha256(repr((BEFORE, BEHIND, WORDS, _HEAD, _TAIL)).encode()).hexdigest()
"""A head is good for the prompt that it was trained with."""


def of(texts: Sequence[str], groups: Sequence[Group], engine: Engine) -> Columns:
    """One row a clean text, the columns group by group. Raises ModelFault."""
    return np.hstack([_columns(texts, group, engine) for group in groups])


def _columns(texts: Sequence[str], group: Group, engine: Engine) -> Columns:
    if group == "model":
        return spoken(texts, engine.score_many)
    rows = engine.embed(texts) if group == "vectors" else valence.features(texts)
    return rows.astype(np.float64)


def spoken(texts: Sequence[str], score_many: ScoreMany) -> Columns:
    """Log-probabilities of the words, less their mean."""
    try:
        rows = _scored([_clipped(text) for text in texts], score_many)
    except Refused:
        rows = np.vstack([_bounded(_clipped(text), score_many) for text in texts])
    return cast(Columns, rows - rows.mean(axis=1, keepdims=True))


def _scored(lines: Sequence[str], score_many: ScoreMany) -> Scores:
    return score_many(BEFORE, [f" {line}{BEHIND}" for line in lines], [f" {word}" for word in WORDS])


def _bounded(line: str, score_many: ScoreMany) -> Scores:
    """Of one text; of less of it when it has too many tokens: a sign may be several."""
    try:
        return _scored([line], score_many)
    except Refused:
        return _scored([line.encode()[:_FEWEST].decode(errors="ignore")], score_many)


def _clipped(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _HEAD + _TAIL else f"{line[:_HEAD]} … {line[-_TAIL:]}"
