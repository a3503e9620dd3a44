"""What people write into forms, made up: as many different texts as asked for, the same each time."""

from __future__ import annotations

import random
from typing import NamedTuple

LABELS = (" great", " bad", " okay")
"""Three of the words that a mood is told by; the head asks for 29."""
_THINGS = (
    "the delivery", "the staff", "my order", "the app", "the room", "the course", "the website", "support",
    "the invoice", "the parking", "the food", "the appointment", "the booking", "the device", "the manual",
)  # fmt: skip
_SAID = (
    "{thing} was excellent and I would recommend it to anybody",
    "{thing} was a disaster from the first day",
    "I have nothing bad to say about {thing}",
    "nobody could tell me anything about {thing} when I called",
    "{thing} came on a Tuesday",
    "we have used {thing} since last year",
    "everybody was kind and {thing} was better than we had hoped",
    "I waited three weeks for {thing} and got no answer to my letters",
    "{thing} does what it says",
    "please tell me how I can change the address for {thing}",
    "{thing} broke after two days and was not replaced",
    "thank you very much for {thing}, it made our week",
)


class Question(NamedTuple):
    """A label is asked for what follows `prefix + rest`."""

    prefix: str
    rests: list[str]


def texts(count: int, seed: int = 7) -> list[str]:
    """Of one to four sentences each."""
    chance = random.Random(seed)
    return [_text(chance) for _ in range(count)]


def _text(chance: random.Random) -> str:
    said = chance.sample(_SAID, chance.randrange(1, 5))
    sentences = [each.format(thing=chance.choice(_THINGS)) for each in said]
    return " ".join(f"{each[0].upper()}{each[1:]}." for each in sentences)


def question(count: int) -> Question:
    """As an analysis asks: what the texts are, then one."""
    from appliance.ai.mood_features import BEFORE, BEHIND

    return Question(BEFORE, [f" {text}{BEHIND}" for text in texts(count)])
