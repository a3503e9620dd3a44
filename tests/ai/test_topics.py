"""What answers are about: against topics that a person gave to answers to three forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from appliance.ai import linkage, phrases, texts, topics
from appliance.ai.engine import Vectors
from appliance.ai.models import Models
from appliance.ai.topics import Space
from tests import models as kept

ANSWERS = Path(__file__).with_name("answers")
FORMS = ("clinic", "course", "restaurant", "shop")
"""Thresholds were chosen by the first three; the last was written afterwards."""
LABELS = {
    "clinic": {
        "waiting": "waiting time",
        "parking": "parking",
        "staff": "staff and reception",
        "doctor": "doctor and treatment",
        "booking": "appointments and phone",
        "cleanliness": "cleanliness",
        "cost": "costs and billing",
    },
    "course": {
        "teacher": "teacher",
        "pace": "pace",
        "materials": "slides and materials",
        "exercises": "exercises and homework",
        "room": "room",
        "catering": "food and coffee",
        "platform": "online platform",
        "price": "price",
    },
    "restaurant": {
        "food": "quality of the food",
        "service": "service",
        "slow": "waiting time",
        "noise": "noise",
        "price": "price",
        "booking": "reservation",
        "vegan": "vegetarian, vegan, allergies",
        "cleanliness": "cleanliness",
    },
    "shop": {
        "delivery": "delivery",
        "packaging": "packaging",
        "size": "size and fit",
        "returns": "returns and refunds",
        "service": "customer service",
        "quality": "quality of the product",
        "website": "website and app",
        "payment": "payment",
    },
}


class Form(NamedTuple):
    labels: list[set[str]]
    """What a person says that each answer is about."""
    sentences: list[str]
    of: list[int]
    """The answer of each sentence."""
    vectors: Vectors


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    with kept.opened(chat=None) as held:
        yield held


@pytest.fixture(scope="module")
def forms(models: Models) -> dict[str, Form]:
    return {name: _read(name, models) for name in FORMS}


def _read(name: str, models: Models) -> Form:
    rows = [line.split("\t") for line in (ANSWERS / f"{name}.tsv").read_text("utf-8").splitlines()]
    split = [(place, each) for place, (_, text) in enumerate(rows) for each in texts.sentences(text)]
    sentences = [each for _, each in split]
    labels = [set(label.split(",")) - {"-"} for label, _ in rows]
    return Form(labels, sentences, [place for place, _ in split], models.embed(sentences))


def _found(form: Form, space: Space) -> list[set[int]]:
    found: list[set[int]] = [set() for _ in form.labels]
    for place, scores in zip(form.of, space.scores(form.vectors), strict=True):
        found[place] |= set(np.flatnonzero(scores).tolist())
    return found


def _named(form: Form, models: Models) -> tuple[Space, list[tuple[str, ...]]]:
    spoken = [phrases.candidates(each, "en") for each in form.sentences]
    return topics.named(topics.sought(form.vectors), form.vectors, spoken, models.embed)


def _agreement(labels: list[set[str]], found: list[set[int]]) -> float:
    """The mean over the person's topics of the F1 that the most fitting one found has."""
    best = []
    for label in set().union(*labels):
        wanted = sum(label in each for each in labels)
        scores = []
        for topic in set().union(*found):
            both = sum(label in one and topic in other for one, other in zip(labels, found, strict=True))
            scores.append(2 * both / (wanted + sum(topic in each for each in found)))
        best.append(max(scores))
    return sum(best) / len(best)


def _purity(labels: list[set[str]], found: list[set[int]]) -> float:
    """How many of those that are put together have in common what most of them are about."""
    most = total = 0
    for topic in set().union(*found):
        inside = [label for label, each in zip(labels, found, strict=True) if topic in each]
        most += Counter(one for label in inside for one in label or {"nothing"}).most_common(1)[0][1]
        total += len(inside)
    return most / total


def test_topics_are_those_that_a_person_sees(forms: dict[str, Form], models: Models) -> None:
    """Measured: agreement .66, .76, .65 and .56, purity .82. K-means of whole answers has .47 and .46."""
    agreement, purity = [], []
    for form in forms.values():
        found = _found(form, _named(form, models)[0])
        agreement.append(_agreement(form.labels, found))
        purity.append(_purity(form.labels, found))
    assert np.mean(agreement) > 0.60, agreement
    assert np.mean(purity) > 0.75, purity


@pytest.mark.parametrize(
    "name, expected",
    [
        ("clinic", {"parking", "waiting", "staff", "doctor", "appointment", "nurse"}),
        ("course", {"lunch", "room", "slides", "exercises"}),
        ("restaurant", {"vegan", "loud", "waiter"}),
        ("shop", {"delivery", "size", "refund"}),
    ],
)
def test_topics_have_telling_names(
    forms: dict[str, Form], models: Models, name: str, expected: set[str]
) -> None:
    names = [each[0] for each in _named(forms[name], models)[1]]
    assert len(names) == len(set(names)) <= topics.MOST
    assert len(expected & set(names)) >= len(expected) - 1, names


def test_categories_of_the_forms_own(forms: dict[str, Form], models: Models) -> None:
    """Measured: F1 .78, .80, .75 and .76; of 14 that are about nothing, 13 are put nowhere."""
    scores, nowhere = [], []
    for name, form in forms.items():
        labels = LABELS[name]
        space = topics.of_labels(form.vectors, models.embed(list(labels.values())))
        found = [{list(labels)[at] for at in each} for each in _found(form, space)]
        both = sum(len(one & other) for one, other in zip(form.labels, found, strict=True))
        scores.append(2 * both / (sum(map(len, form.labels)) + sum(map(len, found))))
        nowhere += [not other for one, other in zip(form.labels, found, strict=True) if not one]
    assert np.mean(scores) > 0.70, scores
    assert np.mean(nowhere) > 0.8


def test_few_or_no_sentences_make_no_topic(models: Models) -> None:
    for count in range(3):
        vectors = models.embed(["The car park was full.", "My soup was cold."][:count])
        if count:
            assert not len(topics.sought(vectors).centres)
            assert not topics.sought(vectors).scores(vectors).any()
    assert topics.nowhere().scores(vectors).shape == (2, 0)


def test_linkage_is_exact() -> None:
    """Against the plain way: each time the two groups with the greatest mean similarity."""
    vectors = topics.unit(np.random.default_rng(5).normal(size=(40, 6)).astype(np.float32))
    similar = vectors @ vectors.T
    groups = [[place] for place in range(40)]
    while True:
        pairs = [
            (float(similar[np.ix_(one, other)].mean()), at, to)
            for at, one in enumerate(groups)
            for to, other in enumerate(groups[:at])
        ]
        best, at, to = max(pairs)
        if best < 0.3:
            break
        groups[to] += groups.pop(at)
    first = linkage.groups(vectors, 0.3)
    found = {tuple(np.flatnonzero(first == each).tolist()) for each in set(first.tolist())}
    assert found == {tuple(sorted(group)) for group in groups}
    assert 3 < len(found) < 30, "neither all together nor each alone"
