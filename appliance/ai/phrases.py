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

_STEM: Final = 6  # letters that tell a word, whatever its ending
LONGEST: Final = 3
"""Words of a phrase."""
_MOST: Final = 400  # candidates of one text that are weighed
_BREAK: Final = re.compile(r"[^\w\s'\u2019\-]+|\n+")


def key_phrases(text: str, language: str | None, most: int = 5) -> tuple[str, ...]:
    """The phrases of a clean text that it says most about, in lower case, the weightiest first."""
    return chosen(_weights(candidates(text, language)), most)


def candidates(text: str, language: str | None) -> list[str]:
    """All phrases of a text as they come, in lower case; a long run gives its last three words, where its
    noun is."""
    found = []
    for run in _runs(text, language):
        found.append(" ".join(run[-LONGEST:]))
        if len(found) >= _MOST:
            break
    return found


class Counts:
    """In how many texts each phrase is, and each word of one; forms of a word ("wait", "waiting") are one."""

    def __init__(self, documents: Iterable[Sequence[str]]) -> None:
        """Each document is given as its `candidates`."""
        self.total = 0
        self.of: Counter[str] = Counter()
        self._forms: dict[str, Counter[str]] = {}
        for spoken in documents:
            self.total += 1
            parts = {part for phrase in spoken for part in _parts(phrase)}
            self.of.update({_stem(part) for part in parts})
            for part in parts:
                self._forms.setdefault(_stem(part), Counter())[part] += 1

    def form(self, stem: str) -> str:
        """Which is said most often; of equal ones the shortest."""
        return min(self._forms[stem].items(), key=lambda each: (-each[1], len(each[0]), each[0]))[0]


def weights(group: Sequence[Sequence[str]], everything: Counts) -> dict[str, float]:
    """How well a phrase tells some texts from all: of those phrases that two of them have at least."""
    here = Counts(group)
    return {
        (form := here.form(stem)): count
        * math.log(1 + everything.total / everything.of[stem])
        * _interest(form)
        for stem, count in here.of.items()
        if count > 1
    }


def _stem(phrase: str) -> str:
    """The beginnings of its words: "delivery" and "delivered" have one, "waiter" and "waiting" do not."""
    return " ".join(word.removesuffix("s")[:_STEM] for word in phrase.split())


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


def chosen(weights: Mapping[str, float], most: int) -> tuple[str, ...]:
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
