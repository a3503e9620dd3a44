"""Labels by the probability that the model gives them: what cannot be talked into another format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from appliance.ai.engine import Refused, Scores, Usage
from appliance.ai.llama import Context
from appliance.ai.memory import BATCH, SEQUENCES

_Rest = tuple[int, list[int]]
"""Its place among the rests, its tokens."""


def score(context: Context, prefix: str, rests: Sequence[str], labels: Sequence[str]) -> tuple[Scores, Usage]:
    """log P(label | prefix + rest): a row each rest, a column each label.

    The prefix is worked on once and stays. As many rests as fit are worked on together, each in a
    sequence of its own that begins with the prefix: the matrices are the same for all, and reading them
    is most of the work.
    """
    weights = context.weights
    wanted = [weights.tokens(label) for label in labels]
    head = weights.tokens(prefix, beginning=True)
    tails = [(place, weights.tokens(rest)) for place, rest in enumerate(rests)]
    if not all(wanted) or not all(tokens for _, tokens in tails):
        raise Refused("a label or a text to score is empty")
    cached = len(head)
    if context.held != head:
        cached, *_ = context.feed(head)
    found = np.empty((len(rests), len(labels)))
    for group in _groups(tails, context.room - len(head), max(map(len, wanted))):
        _score(context, group, wanted, found)
    prompt = len(head) + sum(len(tokens) for _, tokens in tails)
    return found, Usage(prompt=prompt, cached=cached)


def _groups(tails: Sequence[_Rest], room: int, longest: int) -> Iterator[list[_Rest]]:
    """As they can be worked on together; those of like length go together."""
    group: list[_Rest] = []
    taken = 0
    for place, tokens in sorted(tails, key=lambda tail: len(tail[1])):
        size = len(tokens) + longest
        if size > min(room, BATCH):
            raise Refused(
                f"a text of {len(tokens)} tokens is too long to score: {min(room, BATCH) - longest} fit"
            )
        if group and (len(group) == SEQUENCES - 1 or taken + size > min(room, BATCH)):
            yield group
            group, taken = [], 0
        group.append((place, tokens))
        taken += size
    if group:
        yield group


def _score(context: Context, group: list[_Rest], labels: list[list[int]], found: Scores) -> None:
    begin = len(context.held)
    sequences = range(1, len(group) + 1)
    try:
        rows, ends = [], []
        for sequence, (_, tokens) in zip(sequences, group, strict=True):
            context.branch(sequence)
            rows += [(token, begin + at, sequence, at == len(tokens) - 1) for at, token in enumerate(tokens)]
            ends.append(len(rows) - 1)
        context.decode(rows)
        for (place, _), end in zip(group, ends, strict=True):
            first = context.log_probabilities(end)
            found[place] = [first[label[0]] for label in labels]
        _score_longer(context, group, labels, found)
    finally:
        for sequence in sequences:
            context.drop(sequence)


def _score_longer(context: Context, group: list[_Rest], labels: list[list[int]], found: Scores) -> None:
    """Add what the further tokens of labels have, a label at a time and all texts together."""
    begin = len(context.held)
    for column, label in enumerate(labels):
        for step in range(1, len(label)):
            rows = [
                (label[step - 1], begin + len(tokens) + step - 1, sequence, True)
                for sequence, (_, tokens) in enumerate(group, 1)
            ]
            context.decode(rows)
            for at, (place, _) in enumerate(group):
                found[place, column] += context.log_probabilities(at)[label[step]]
        for sequence, (_, tokens) in enumerate(group, 1):
            context.drop(sequence, begin + len(tokens))
