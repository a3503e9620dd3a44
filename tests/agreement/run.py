"""Pairs from seeds and from the corpus, each judged by both."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.agreement.answers import answers
from tests.agreement.author import Author
from tests.agreement.compare import Outcome, Pair, compare
from tests.agreement.hostile import spoil
from tests.domain.oracle import Oracle, oracle

Judged = tuple[str, Outcome]
HOSTILE = 0.15
"""Share of pairs in which something is sent that survey-core trusts its client not to send."""


def pair(seed: int) -> Pair:
    author = Author(seed)
    definition = author.form()
    data = answers(author.chance, definition)
    if author.chance.random() < HOSTILE:
        return spoil(author.chance, definition, data)
    return Pair(definition, data)


def judge_seeds(span: tuple[int, int]) -> list[Judged]:
    return judge_pairs((f"seed {seed}", pair(seed)) for seed in range(*span))


def judge_pairs(pairs: Iterable[tuple[str, Pair]]) -> list[Judged]:
    with oracle() as survey_core:
        return judge_with(survey_core, pairs)


def judge_with(survey_core: Oracle, pairs: Iterable[tuple[str, Pair]]) -> list[Judged]:
    return [(name, compare(survey_core, one)) for name, one in pairs]


def corpus_pairs(folder: Path) -> Iterator[tuple[str, Pair]]:
    """Of files {"definition": …, "answers": [{"data": …, "language": …, "refused": [pointer, …]}]}."""
    for file in sorted(folder.glob("*.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        for place, one in enumerate(pairs_of(found)):
            yield f"{file.name} answers {place}", one


def pairs_of(found: dict[str, Any]) -> Iterator[Pair]:
    for given in found["answers"]:
        wrong, language = tuple(given.get("refused", ())), given.get("language")
        yield Pair(found["definition"], given["data"], wrong, language=language)
