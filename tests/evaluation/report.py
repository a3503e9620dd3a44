"""Tables, as docs/ai-evaluation.md shows them, and which aims were missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from appliance.ai import sentiment
from appliance.ai.engine import Engine
from appliance.ai.sentiment import Head
from tests.evaluation import attacks, peers
from tests.evaluation.data import Item
from tests.evaluation.measures import calibration_error, error_by_chance, macro_f1
from tests.evaluation.peers import Told

MOST_ERROR: Final = 0.10
"""Expected calibration error that is aimed at."""
FEWEST: Final = 200
"""Texts that a calibration error is judged by: with fewer, chance alone makes most of a tenth (the table says
how much).
"""


class Row(NamedTuple):
    name: str
    texts: int
    f1: float
    error: float | None
    chance: float | None
    """What `error` would be on average if the confidences were right."""
    claimed: float | None = None
    """Share of the texts for which a label is claimed."""
    right: float | None = None
    """Share of the claimed labels that are right."""


def tell(items: Sequence[Item], engine: Engine, heads: Sequence[Head]) -> dict[str, list[Told]]:
    """What each says of the texts: the heads, the best first, then the others."""
    texts = [item.text for item in items]
    return {
        **{f"head: {head.name}": _ours(texts, engine, head) for head in heads},
        "VADER": peers.vader(texts),
        "TextBlob": peers.textblob(texts),
        "language model alone": peers.model_alone(engine)(texts),
    }


def _ours(texts: Sequence[str], engine: Engine, head: Head) -> list[Told]:
    told = []
    for mood in sentiment.read(texts, engine, head):
        likeliest = max(mood.probabilities, key=lambda label: mood.probabilities[label])
        told.append(Told(likeliest, mood.confidence, mood.sentiment != "unsure"))
    return told


def measured(name: str, items: Sequence[Item], told: Sequence[Told]) -> Row:
    truth = [item.label for item in items]
    right = [each.label == label for each, label in zip(told, truth, strict=True)]
    f1 = macro_f1(truth, [each.label for each in told])
    sure = [each.confidence for each in told if each.confidence is not None]
    is_sure = len(sure) == len(items)
    error = calibration_error(right, sure) if is_sure else None
    chance = error_by_chance(sure) if is_sure else None
    if any(each.is_claimed is None for each in told):
        return Row(name, len(items), f1, error, chance)
    claimed = [hit for hit, each in zip(right, told, strict=True) if each.is_claimed]
    share = sum(claimed) / max(1, len(claimed))
    return Row(name, len(items), f1, error, chance, len(claimed) / len(items), share)


def show(split: str, items: Sequence[Item], told: Mapping[str, Sequence[Told]]) -> list[str]:
    """Prints a row for each who told. Which aims were missed."""
    table = [measured(name, items, each) for name, each in told.items()]
    for row in table:
        cells = [split, str(row.texts), row.name, f"{row.f1:.3f}"]
        cells += ["–" if value is None else f"{value:.3f}" for value in row[3:]]
        print(f"| {' | '.join(cells)} |", flush=True)
    return _missed(split, table)


def _missed(split: str, table: Sequence[Row]) -> list[str]:
    """By the best head."""
    best, vader = table[0], next(row for row in table if row.name == "VADER")
    found = []
    if best.f1 <= vader.f1:
        found.append(f"{split}: macro-F1 {best.f1:.3f} is not above VADER's {vader.f1:.3f}")
    if best.error is not None and best.error > MOST_ERROR and best.texts >= FEWEST:
        found.append(f"{split}: calibration error {best.error:.3f} is above {MOST_ERROR}")
    return found


def head_line() -> None:
    print("| Texts | n | by | macro-F1 | ECE | by chance | claimed | right of it |")
    print("|---|---|---|---|---|---|---|---|")


def show_attacks(engine: Engine, heads: Sequence[Head]) -> None:
    print(
        f"| {len(attacks.attacks())} attacks × {len(attacks.CARRIERS)} texts | tried | flipped | silenced |"
    )
    print("|---|---|---|---|")
    for head in heads:
        for cleaned in (False, True):
            tallies = attacks.tallies(engine, head, cleaned=cleaned)
            way = f"{head.name}; {'as shipped' if cleaned else 'all of it read'}"
            for tally in (*tallies, _all(tallies)):
                print(
                    f"| {way}: {tally.family} | {tally.tried} | {tally.flipped / tally.tried:.1%} "
                    f"| {tally.silenced / tally.tried:.1%} |",
                    flush=True,
                )


def _all(tallies: Sequence[attacks.Tally]) -> attacks.Tally:
    return attacks.Tally(
        "**all**",
        sum(tally.tried for tally in tallies),
        sum(tally.flipped for tally in tallies),
        sum(tally.silenced for tally in tallies),
    )
