"""Values as survey-core, that is JavaScript, reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

SPACE: Final = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""What String.prototype.trim() takes off."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def is_empty(value: object) -> bool:
    """Helpers.isValueEmpty: null, "", [] and objects of nothing but these; neither 0 nor false."""
    if value is None or value == "":
        return True
    if isinstance(value, list):
        return not value
    return isinstance(value, dict) and all(is_empty(item) for item in value.values())


def is_blank(value: object) -> bool:
    """Question.isEmpty: white space does not answer a question."""
    return not value.strip(SPACE) if isinstance(value, str) else is_empty(value)


def to_number(value: object) -> int | float | None:
    """Helpers.getNumber: "5", " 5 " and "5,5" are numbers; true and a run of more than 15 digits are not."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip(SPACE)
    if len(text) > 15 and text.isascii() and text.isdigit():
        return None
    if text.startswith("0x"):
        return _hex_start(text)
    if text.count(",") == 1:
        text = text.replace(",", ".")
    if len(text) > 400 or _NUMBER.fullmatch(text) is None:
        return None
    return whole(float(text))


def _hex_start(text: str) -> int | float | None:
    """parseInt, which stops at the first character that is no digit."""
    found = re.match(r"0x([0-9a-fA-F]+)", text)
    return None if found is None or len(text) > 32 else whole(float(int(found[1], 16)))


def whole(number: float) -> int | float | None:
    """5 for 5.0, as JSON.stringify writes it; None for what JSON cannot say."""
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def js_text(value: object) -> str:
    """String(value)."""
    if isinstance(value, str):
        return value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _js_float(value)
    if isinstance(value, list):
        return ",".join("" if item is None else js_text(item) for item in value)
    return "[object Object]"


def _js_float(number: float) -> str:
    """Number::toString of ECMA-262: the shortest digits, an exponent only below 1e-6 and from 1e21."""
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    point = len(mantissa) + int(exponent)
    minus = "-" if sign and number else ""
    if 0 < point <= 21:
        whole_part, fraction = mantissa[:point].ljust(point, "0"), mantissa[point:]
        return minus + whole_part + (f".{fraction}" if fraction else "")
    if -6 < point <= 0:
        return f"{minus}0.{'0' * -point}{mantissa}" if number else "0"
    tail = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{minus}{mantissa[0]}{tail}e{point - 1:+d}"


def js_length(text: str) -> int:
    """String.length: UTF-16 code units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def same_key(value: object) -> str:
    """One key for all values that survey-core holds equal as choices: 1 is "1", true is "true"."""
    if type(value) is int or (type(value) is str and value.isalpha()):
        return str(value)
    number = to_number(value) if not isinstance(value, str) or _NUMBER.fullmatch(value) else None
    return js_text(value) if number is None else js_text(float(number))


def text_in(value: object, locale: str) -> str:
    """LocalizableString.pureText: in `locale`, else in what it is a dialect of (`pt` for `pt-br`), else in
    the default language, which may be written `en` where no other is asked for; "" if there is none."""
    if isinstance(value, Mapping):
        value = (
            value.get(locale) or value.get(locale.partition("-")[0]) or value.get("default")
            if locale
            else value.get("default") or value.get("en")
        )
    return "" if value is None else js_text(value)


def fill(text: str, *values: object) -> str:
    """ "{0} of {1}" with its values."""
    for place, value in enumerate(values):
        text = text.replace(f"{{{place}}}", js_text(value))
    return text
