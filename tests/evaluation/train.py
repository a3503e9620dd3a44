"""Make `appliance/ai/sentiment.json` anew from what packages ship: `scripts/evaluate --train`.

Penalties are chosen by leaving one group of the train split out at a time: a domain, or the answers to one
kind of form. How sure a head may be is measured on the calibration split, each group read by a head that
never saw it; from where on something is claimed, by the head itself. The test split is not looked at.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

from appliance.ai import mood_features, sentiment
from appliance.ai.engine import Engine
from appliance.ai.mood_features import Columns, Group
from tests.evaluation.data import LABELS, Item
from tests.evaluation.regression import Fitted, Labels, fit, loss, softmax

HEADS: Final[tuple[tuple[str, tuple[Group, ...]], ...]] = (
    ("model, words, vectors", ("model", "words", "vectors")),
    ("model, words", ("model", "words")),
    ("words, vectors", ("words", "vectors")),
    ("words", ("words",)),
)
"""The best first: the first one whose models are there is used."""
PENALTIES: Final[dict[Group, tuple[float, ...]]] = {
    "model": (0.1, 0.3),
    "words": (0.1, 0.3),
    "vectors": (0.5, 1.0, 2.0),
}
_WEIGHTS: Final = {"answers": 3.0}
"""Answers to forms are what is read in the end."""
RIGHT: Final = 0.8
"""Share of what is claimed that shall be right."""
TEMPERATURES: Final = tuple(np.exp(np.linspace(-0.7, 1.2, 96)).tolist())


class Part(NamedTuple):
    """Of the texts, those of one split or group."""

    rows: Columns
    labels: Labels
    group_of: Columns
    importance: Columns

    def where(self, chosen: Columns) -> Part:
        return Part(*(column[chosen] for column in self))


def part(items: Sequence[Item], rows: Columns, split: str) -> Part:
    """Domains and labels weigh as the root of their numbers, so that no large one drowns the others."""
    chosen = np.array([item.split == split for item in items])
    cells = np.array([f"{item.domain} {item.label}" for item in items])[chosen]
    numbers = dict(zip(*np.unique(cells, return_counts=True), strict=True))
    labels = np.array([LABELS.index(item.label) for item in items])[chosen]
    group_of = np.array([item.group for item in items])[chosen]
    importance = np.array([_WEIGHTS.get(cell.split()[0], 1.0) / np.sqrt(numbers[cell]) for cell in cells])
    return Part(rows[chosen], labels, group_of, importance)


def train(items: Sequence[Item], engine: Engine, digests: dict[str, str], sources: Any) -> dict[str, Any]:
    """What the file holds."""
    heads = [_head(name, groups, items, engine, digests) for name, groups in HEADS]
    return {
        "about": "Weights for sentiment.py, made by scripts/evaluate --train; see docs/ai-evaluation.md",
        "version": sentiment.VERSION,
        "prompt_sha256": mood_features.PROMPT_SHA256,
        "sources": sources,
        "heads": heads,
    }


def _head(
    name: str, groups: tuple[Group, ...], items: Sequence[Item], engine: Engine, digests: dict[str, str]
) -> dict[str, Any]:
    print(f"head: {name}", file=sys.stderr, flush=True)
    texts = [item.text for item in items]
    widths = [mood_features.of(texts[:1], (group,), engine).shape[1] for group in groups]
    rows = mood_features.of(texts, groups, engine)
    taught, kept = part(items, rows, "train"), part(items, rows, "calibration")
    penalties, found = _chosen(taught, groups, widths)
    strange = _strange_logits(taught, kept, found)
    temperature = min(
        TEMPERATURES, key=lambda each: loss(softmax(strange / each), kept.labels, kept.importance)
    )
    fitted = fit(taught.rows, taught.labels, taught.importance, found)
    threshold = _threshold(softmax(fitted.logits(kept.rows) / temperature), kept)
    purposes = {"model": "chat", "vectors": "embedding"}
    return {
        "name": name,
        "groups": list(groups),
        "models": {purposes[group]: digests[purposes[group]] for group in groups if group in purposes},
        "penalties": penalties,
        "temperature": round(temperature, 4),
        "unsure_below": threshold,
        "weights": _rounded(fitted.weights / temperature),
        "offsets": _rounded(fitted.offsets / temperature),
    }


def _chosen(
    taught: Part, groups: Sequence[Group], widths: Sequence[int]
) -> tuple[dict[Group, float], Columns]:
    """Those with the least loss on groups that were left out."""
    tried = []
    for each in product(*(PENALTIES[group] for group in groups)):
        column = np.repeat(each, widths)
        lost = loss(softmax(_strange_logits(taught, taught, column)), taught.labels, taught.importance)
        print(f"  penalties {each}: {lost:.4f}", file=sys.stderr, flush=True)
        tried.append((lost, dict(zip(groups, each, strict=True)), column))
    _, penalties, column = min(tried, key=lambda one: one[0])
    return penalties, column


def _strange_logits(taught: Part, read: Part, penalties: Columns) -> Columns:
    """Of what is read, each group by a head that was taught all the others."""
    logits = np.empty((len(read.labels), len(LABELS)))
    for group, fitted in left_out(taught, penalties):
        logits[read.group_of == group] = fitted.logits(read.rows[read.group_of == group])
    return logits


def left_out(taught: Part, penalties: Columns) -> Iterator[tuple[str, Fitted]]:
    for group in sorted(set(taught.group_of.tolist())):
        rest = taught.where(taught.group_of != group)
        yield group, fit(rest.rows, rest.labels, rest.importance, penalties)


def _threshold(shares: Columns, kept: Part) -> float:
    """The least confidence from which on enough of what is claimed is right."""
    right = shares.argmax(axis=1) == kept.labels
    for threshold in np.arange(0.34, 0.95, 0.01):
        claimed = shares.max(axis=1) >= threshold
        if claimed.any() and np.average(right[claimed], weights=kept.importance[claimed]) >= RIGHT:
            return round(float(threshold), 2)
    return 0.95


def _rounded(numbers: Columns) -> Any:
    """To five digits: 20 kB rather than 60."""
    return json.loads(json.dumps(numbers.tolist()), parse_float=lambda digits: float(f"{float(digits):.5g}"))
