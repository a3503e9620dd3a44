"""What is wrong with an input, gathered so that the caller sees all of it at once."""

from __future__ import annotations

from appliance.errors import FieldError, Invalid

MOST = 50
"""Faults told at once; whoever has more mends these first."""


class Faults:
    """Faults by JSON Pointer, in the order found, at most MOST."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[FieldError] = []

    def add(self, path: str, message: str) -> None:
        if len(self.found) < MOST:
            self.found.append(FieldError(path, message))

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
