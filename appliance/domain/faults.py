"""What is wrong with an input, gathered so that the caller sees all of it at once."""

from __future__ import annotations

from appliance.domain.effort import MAX_EFFORT
from appliance.domain.message import Message, Said
from appliance.errors import FieldError, Invalid

MOST = 50
"""Faults told at once; whoever has more mends these first."""


class Faults:
    """Faults by JSON Pointer, in the order found, at most MOST; and the effort left to look for more."""

    __slots__ = ("found", "language", "left", "refused")

    def __init__(self, language: str = "") -> None:
        self.language = language
        """survey-core's name of the one that messages are told in; "" is the default one."""
        self.found: list[FieldError] = []
        self.left = MAX_EFFORT
        self.refused: set[str] = set()
        """Paths of answers that were not taken: nothing else is said of them."""

    def add(self, path: str, message: Said) -> None:
        if len(self.found) < MOST:
            told = message.told(self.language) if isinstance(message, Message) else message
            self.found.append(FieldError(path, told))

    def spend(self, steps: int) -> bool:
        """Takes the steps from those left; False, and nothing taken, if they are not there."""
        if steps > self.left:
            return False
        self.left -= steps
        return True

    @property
    def full(self) -> bool:
        return len(self.found) >= MOST

    def raise_any(self, detail: str) -> None:
        """Raises Invalid if there is a fault."""
        if self.found:
            raise Invalid(detail, errors=self.found)


def token(key: str | int) -> str:
    """`key` as the last step of a JSON Pointer (RFC 6901)."""
    return "/" + str(key).replace("~", "~0").replace("/", "~1")
