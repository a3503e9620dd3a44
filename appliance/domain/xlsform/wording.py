"""What fillers are told where a constraint has no message: survey-core would quote the expression."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from appliance.domain.xlsform.translation import MIRRORED
from appliance.domain.xlsform.xpath import Binary, Call, Minus, Number, Place, XPath

NOT_ALLOWED: Final = "This answer is not allowed"
_NUMBERS: Final = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "=": "", "!=": "other than"}
_DAYS: Final = {
    "<": "before", "<=": "not after", ">": "after", ">=": "not before", "=": "", "!=": "other than",
}  # fmt: skip


def told(parts: Iterable[XPath]) -> str:
    """`must be above 0 and at most 300`; NOT_ALLOWED unless all hold the answer to a number or today."""
    phrases = [_phrase(part) for part in parts]
    if any(phrase is None for phrase in phrases):
        return NOT_ALLOWED
    return "must be " + " and ".join(phrase for phrase in phrases if phrase)


def _phrase(part: XPath) -> str | None:
    match part:
        case Binary(sign, Place("."), limit):
            pass
        case Binary(sign, limit, Place(".")):
            sign = MIRRORED.get(sign, sign)
        case _:
            return None
    match limit:
        case Number(text):
            return _joined(_NUMBERS, sign, text)
        case Minus(Number(text)):
            return _joined(_NUMBERS, sign, f"-{text}")
        case Call("today", ()):
            return _joined(_DAYS, sign, "today")
    return None


def _joined(words: dict[str, str], sign: str, limit: str) -> str | None:
    return f"{words[sign]} {limit}".strip() if sign in words else None
