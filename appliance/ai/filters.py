"""What becomes of an answer before anybody sees it: named filters, each of which can be switched off.

They are plain rules over text. That none of them has found anything promises nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

Filter = Callable[[str, Sequence[str]], str]
"""Of the answer, and of the texts that it was asked with."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_MAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)?\d(?:[ ()/.-]{0,2}\d){7,14}(?![\w.])")
_LONGEST = 20_000
_ECHO = 40
"""Characters that an answer must share with its question's end to be taken for its echo."""


def control(text: str, _: Sequence[str]) -> str:
    """Without control characters, but for tabs and line ends, and without those that turn or hide text."""
    return _CONTROL.sub("", text)


def echo(text: str, asked: Sequence[str]) -> str:
    """Without the question, where the answer begins with it."""
    begun = text.lstrip()
    for question in asked:
        if len(question) >= _ECHO and begun.startswith(question):
            return begun[len(question) :].lstrip()
    return text


def length(text: str, _: Sequence[str]) -> str:
    """Its first 20,000 characters."""
    return text[:_LONGEST]


def mail(text: str, _: Sequence[str]) -> str:
    """With [e-mail] for addresses."""
    return _MAIL.sub("[e-mail]", text)


def iban(text: str, _: Sequence[str]) -> str:
    """With [IBAN] for account numbers (ISO 13616), by their form."""
    return _IBAN.sub("[IBAN]", text)


def phone(text: str, _: Sequence[str]) -> str:
    """With [phone] for what has 8 to 15 digits as telephone numbers have (E.164)."""
    return _PHONE.sub("[phone]", text)


FILTERS: dict[str, Filter] = {
    "control": control,
    "echo": echo,
    "length": length,
    "mail": mail,
    "iban": iban,
    "phone": phone,
}
"""In this order they are applied."""
BY_PIECE = frozenset({"control"})
"""These need not see the whole of a text, so it can be told as it comes."""


def apply(names: Iterable[str], text: str, asked: Sequence[str] = ()) -> str:
    chosen = set(names)
    for name, rule in FILTERS.items():
        if name in chosen:
            text = rule(text, asked)
    return text


def flows(names: Iterable[str]) -> bool:
    """Whether a text can be told piece by piece under these filters; `length` holds for none so short."""
    return set(names) <= BY_PIECE | {"echo", "length"}
