"""The evaluation's own arithmetic, without models: fitting, splits, measures, attacks."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.evaluation import attacks, data
from tests.evaluation.measures import calibration_error, macro_f1
from tests.evaluation.regression import fit, loss, softmax

GENERATOR = np.random.default_rng(7)
ROWS = GENERATOR.normal(size=(300, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 0]
LABELS = np.argmax(ROWS @ GENERATOR.normal(size=(5, 3)) + GENERATOR.normal(size=(300, 3)), axis=1)
EVEN, PENALTY = np.ones(300), np.full(5, 0.1)


def test_a_fit_is_the_same_each_time_and_no_step_betters_it() -> None:
    once, again = (fit(ROWS, LABELS, EVEN, PENALTY) for _ in range(2))
    assert (once.weights == again.weights).all() and (once.offsets == again.offsets).all()

    def cost(weights: object) -> float:
        moved = once._replace(weights=np.asarray(weights))
        squares = 0.1 / 2 * ((np.asarray(weights) * ROWS.std(axis=0)[:, None]) ** 2).sum()
        return loss(softmax(moved.logits(ROWS)), LABELS, EVEN) + float(squares)

    least = cost(once.weights)
    for _ in range(20):
        assert cost(once.weights + GENERATOR.normal(size=(5, 3)) * 0.01) > least
    assert (once.logits(ROWS).argmax(axis=1) == LABELS).mean() > 0.6


def test_importance_is_as_good_as_repeating() -> None:
    doubled = fit(ROWS, LABELS, np.where(np.arange(300) < 100, 2.0, 1.0), PENALTY)
    repeated = fit(np.vstack([ROWS, ROWS[:100]]), np.append(LABELS, LABELS[:100]), np.ones(400), PENALTY)
    assert np.allclose(softmax(doubled.logits(ROWS)), softmax(repeated.logits(ROWS)), atol=0.01)


def test_splits_hang_on_the_text_alone() -> None:
    assert {data.split_of(f"Text {number}") for number in range(50)} == {"train", "calibration", "test"}
    assert data.split_of("The same.") == data.split_of("the same.")


def test_kinds_of_forms_in_the_test_are_in_no_other_split() -> None:
    kinds = {item.kind: item.split == "test" for item in data._answers()}
    for item in data._answers():
        assert (item.split == "test") == kinds[item.kind]
    counts = Counter(item.split for item in data._answers())
    assert counts["test"] >= 100 and counts.total() >= 300


def test_macro_f1_is_the_mean_over_the_labels_there_are() -> None:
    assert macro_f1(["positive", "negative"], ["positive", "negative"]) == 1
    assert macro_f1(["positive", "negative"], ["positive", "unsure"]) == 0.5
    assert macro_f1(["positive", "positive", "neutral"], ["positive"] * 3) == pytest.approx(0.4)


def test_the_calibration_error_of_a_text_in_four_too_sure() -> None:
    assert calibration_error([True, True, True, False], [0.95] * 4) == pytest.approx(0.2)
    assert calibration_error([True, False], [0.95, 0.05]) == pytest.approx(0.05)


def test_attacks_are_many_and_each_carries_its_text_and_wish() -> None:
    templates = [template for _, template in attacks.attacks()]
    assert len(templates) >= 60 and len(set(templates)) == len(templates)
    assert len(attacks.CARRIERS) >= 20
    for template in templates:
        made = attacks.attack(template, "CARRIER", "negative")
        assert "CARRIER" in made and "{want}" not in made and "{word}" not in made
