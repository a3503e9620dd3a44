"""Errors as they may be kept and shown: without what looks like a password, a key or somebody's address.

A traceback has no values of variables, but the text of an error may quote what it was about.
"""

from __future__ import annotations

import re

_VALUE = r"(?:'[^']{0,500}'|\"[^\"]{0,500}\"|[^\s,;)}'\"]{1,500})"
_RULES = (
    # User and password of an address; what follows a scheme of authorization; what a name says is secret.
    (re.compile(r"(://)[^\s/@'\"]{1,500}(?=@)"), r"\1***"),
    (re.compile(r"(?i)\b(authorization[:\s]+|bearer\s+)(?:(?:bearer|basic)\s+)?[^\s'\",;]{1,500}"), r"\1***"),
    (
        re.compile(rf"(?i)((?:password|passwd|secret|token|api_?key)['\"]?\s{{0,9}}[=:]\s{{0,9}}){_VALUE}"),
        r"\1***",
    ),
    (re.compile(r"\b(?:whsec_|ak_|eyJ)[\w+/=.\-]{8,}"), "***"),
    (re.compile(r"([\w.+\-])[\w.+\-]{0,63}(@[\w\-]{1,63}(?:\.[\w\-]{1,63})*)"), r"\1***\2"),
)
_LONG = re.compile(r"[\w+=\-]{32,}")
_ID = re.compile(r"(?:[\w:.\-]*[:.\-])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def last_line(error: str) -> str:
    """Of a traceback: what went wrong, not where."""
    lines = error.strip().splitlines()
    return lines[-1] if lines else ""


def redacted(text: str) -> str:
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _LONG.sub(_unless_harmless, text)


def _unless_harmless(found: re.Match[str]) -> str:
    """A long word with digits and letters is a key, unless it is an id."""
    word = found[0]
    is_key = any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and not _ID.fullmatch(word)
    return "***" if is_key else word
