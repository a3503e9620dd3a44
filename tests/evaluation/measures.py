"""How good labels and their confidence are."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from tests.evaluation.data import LABELS

BINS: Final = 10


def macro_f1(truth: Sequence[str], told: Sequence[str]) -> float:
    """The mean over the labels that the truth has. What is none of the labels is wrong."""
    scores = []
    for label in LABELS:
        if label in truth:
            both = sum(a == b == label for a, b in zip(truth, told, strict=True))
            scores.append(2 * both / (list(truth).count(label) + list(told).count(label)))
    return sum(scores) / len(scores)


def calibration_error(right: Sequence[bool], confidence: Sequence[float]) -> float:
    """Expected calibration error of the likeliest label: ten equal bins, weighted by their number."""
    error = 0.0
    for number in range(BINS):
        held = [
            (hit, sure)
            for hit, sure in zip(right, confidence, strict=True)
            if min(BINS - 1, int(sure * BINS)) == number
        ]
        error += abs(sum(hit for hit, _ in held) - sum(sure for _, sure in held))
    return error / len(right)


def error_by_chance(confidence: Sequence[float], draws: int = 200) -> float:
    """The mean calibration error of as many texts if each were right just as often as its confidence says."""
    random = Random(7)
    made = (
        calibration_error([random.random() < sure for sure in confidence], confidence) for _ in range(draws)
    )
    return sum(made) / draws
