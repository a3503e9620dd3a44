"""What a text's words say about its mood, whatever it is about: a few numbers beside its embedding.

Words and emoticons have the valence that ten people gave each of them (-4 to 4): the lexicon of VADER (Hutto
and Gilbert 2014, MIT). Negations, degrees and contrasts are read here, more plainly than there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from appliance.ai.engine import Vectors
from appliance.ai.texts import EMBEDDED

LEXICON: Final = Path(__file__).with_name("valence.tsv")
NAMES: Final = (
    "balance", "positive", "negative", "mean", "ending", "spoken", "negations", "negated_positive",
    "exclamations", "questions", "length", "contrast", "capitals", "share_negative",
)  # fmt: skip
"""The columns of `features`."""
_NEGATIONS: Final = frozenset(
    "no not never none nothing nobody nowhere neither nor without cannot cant dont doesnt didnt isnt wasnt "
    "arent werent wont wouldnt couldnt shouldnt havent hasnt hadnt aint hardly barely scarcely "
    "rarely seldom lacks lacking".split()
)
_STRONGER: Final = frozenset(
    "absolutely amazingly completely especially exceptionally extremely highly incredibly really "
    "remarkably so totally truly utterly very most much too".split()
)
_WEAKER: Final = frozenset("almost fairly kinda less little marginally partly slightly somewhat".split())
_CONTRAST: Final = frozenset("but however although though except unfortunately yet".split())
_EDGES: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~“”\u2018\u2019…"
_FLIP: Final = -0.74  # what a negation makes of a valence, as VADER found
_DEGREE: Final = 0.3
_REACH: Final = 3  # words that a negation reaches over


class _Word(NamedTuple):
    valence: float
    is_negation: bool
    was_negated: bool
    is_contrast: bool


def features(texts: Sequence[str]) -> Vectors:
    """One row of `NAMES` for each clean text, each value between -1 and 1 or near it."""
    return np.array([_features(text[:EMBEDDED]) for text in texts], dtype=np.float32).reshape(
        len(texts), len(NAMES)
    )


@cache
def _lexicon() -> dict[str, float]:
    lines = (line.split("\t") for line in LEXICON.read_text("utf-8").splitlines())
    return {word: float(valence) for word, valence in lines}


def _features(text: str) -> tuple[float, ...]:
    raw = text.split()
    read = _read(raw)
    spoken = [word.valence for word in read if word.valence]
    positive, negative = sum(v for v in spoken if v > 0), -sum(v for v in spoken if v < 0)
    ending = sum(word.valence for word in read[-max(4, len(read) // 3) :])
    return (
        _bounded(_balance(read)), _bounded(positive), _bounded(negative),
        sum(spoken) / (4 * len(spoken)) if spoken else 0.0,
        _bounded(ending),
        1.0 if spoken else 0.0,
        min(3, sum(word.is_negation for word in read)) / 3,
        min(3, sum(word.was_negated for word in read)) / 3,
        min(3, text.count("!")) / 3,
        min(2, text.count("?")) / 2,
        math.log1p(len(raw)) / 6,
        1.0 if any(word.is_contrast for word in read) else 0.0,
        sum(len(word) > 2 and word.isupper() for word in raw) / (len(raw) or 1),
        negative / (positive + negative) if spoken else 0.5,
    )  # fmt: skip


def _bounded(total: float) -> float:
    return total / math.sqrt(total * total + 15)  # VADER's own curve


def _balance(read: Sequence[_Word]) -> float:
    """The sum of all valences; what comes after the last contrast counts three times what was before it."""
    turn = max((place for place, word in enumerate(read) if word.is_contrast), default=-1)
    if turn < 0:
        return sum(word.valence for word in read)
    return sum(word.valence * (0.5 if place < turn else 1.5) for place, word in enumerate(read))


def _read(raw: Sequence[str]) -> list[_Word]:
    read: list[_Word] = []
    negated = 0
    degree = 0.0
    for token in raw:
        word = token.lower()
        bare = word.strip(_EDGES).replace("\u2019", "'")
        valence = _lexicon().get(bare, 0.0) or _lexicon().get(word, 0.0)
        is_negation = bare.replace("'", "") in _NEGATIONS or bare.endswith("n't")
        if valence:
            valence += math.copysign(degree, valence)
            valence *= _FLIP if negated and not is_negation else 1.0
        read.append(_Word(valence, is_negation, bool(valence and negated), bare in _CONTRAST))
        degree = _DEGREE if bare in _STRONGER else -_DEGREE if bare in _WEAKER else 0.0
        negated = _REACH if is_negation else 0 if token[-1] in ".;!?," else max(0, negated - 1)
    return read


def says_mood(word: str) -> bool:
    """Whether a word in lower case has a valence."""
    return word in _lexicon()
