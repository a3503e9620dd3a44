"""What a text is about, in its own words: runs of words between those that say nothing (after RAKE, Rose
2010)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from appliance.ai.stop_words import stop_words
from appliance.ai.texts import WORD, words
from appliance.ai.valence import says_mood

LONGEST: Final = 3
"""Words of a phrase."""
_MOST: Final = 400  # candidates of one text that are weighed
_BREAK: Final = re.compile(r"[^\w\s'\u2019\-]+|\n+")


def key_phrases(text: str, language: str | None, most: int = 5) -> tuple[str, ...]:
    """The phrases of a clean text that it says most about, in lower case, the weightiest first."""
    return _chosen(_weights(candidates(text, language)), most)


def candidates(text: str, language: str | None) -> list[str]:
    """All phrases of a text as they come, in lower case; a long run gives its last three words, where its
    noun is."""
    found = []
    for run in _runs(text, language):
        found.append(" ".join(run[-LONGEST:]))
        if len(found) >= _MOST:
            break
    return found


def common(
    documents: Mapping[str, Sequence[str]] | Sequence[Sequence[str]], most: int = 5
) -> tuple[str, ...]:
    """Phrases and single words of them that the most documents share (each given as its `candidates`)."""
    listed = documents.values() if isinstance(documents, Mapping) else documents
    return _chosen(_shared(listed), most)


def telling(
    group: Sequence[Sequence[str]], everything: Counter[str], total: int, most: int = 3
) -> tuple[str, ...]:
    """What the documents of a group share and the `total` documents do not: `everything` counts, for each
    phrase, the documents that have it (`counted`)."""
    here = counted(group)
    weights = {
        phrase: count * math.log(1 + total / everything[phrase]) * _interest(phrase)
        for phrase, count in here.items()
        if count > 1 or len(group) < 3
    }
    return _chosen(weights, most)


def counted(documents: Iterable[Sequence[str]]) -> Counter[str]:
    """In how many documents each phrase, and each word of one, is."""
    count: Counter[str] = Counter()
    for phrases in documents:
        count.update({part for phrase in phrases for part in _parts(phrase)})
    return count


def _shared(documents: Iterable[Sequence[str]]) -> dict[str, float]:
    return {phrase: count * _interest(phrase) for phrase, count in counted(documents).items()}


def _parts(phrase: str) -> set[str]:
    split = phrase.split()
    pairs = {" ".join(split[at : at + 2]) for at in range(len(split) - 1)}
    return {phrase, *split, *pairs}


def _weights(phrases: Sequence[str]) -> dict[str, float]:
    count = Counter(phrases)
    return {phrase: times * _interest(phrase) for phrase, times in count.items()}


def _interest(phrase: str) -> float:
    """Longer phrases say more; words of mood alone ("really great") say how, not what."""
    split = phrase.split()
    named = [word for word in split if not says_mood(word)]
    if not named:
        return 0.1
    return (1 + 0.5 * (len(split) - 1)) * min(1.0, max(map(len, named)) / 4)


def _chosen(weights: Mapping[str, float], most: int) -> tuple[str, ...]:
    """The weightiest, none of which is part of another; ties in the order of the alphabet."""
    kept: list[str] = []
    for phrase in sorted(weights, key=lambda one: (-weights[one], one)):
        inner = f" {phrase} "
        if not any(inner in f" {other} " or f" {other} " in inner for other in kept):
            kept.append(phrase)
            if len(kept) == most:
                break
    return tuple(kept)


def _runs(text: str, language: str | None) -> Iterator[list[str]]:
    stops = stop_words().get(language or "en")
    for piece in _BREAK.split(text):
        run: list[str] = []
        for word in words(piece.lower().replace("\u2019", "'")):
            ends = word in stops if stops is not None else len(word) < 4 and word.isascii()
            if ends or len(word) > WORD or word.isdigit() or len(word) == 1:
                if run:
                    yield run
                run = []
            else:
                run.append(word)
        if run:
            yield run
