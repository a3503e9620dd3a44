"""Where an answer leads whoever opens it: never to a script."""

from __future__ import annotations

import re
from typing import Final

_SCHEME: Final = re.compile(r"[\x00-\x20]*([a-z][a-z0-9+.\s-]*):", re.IGNORECASE)
"""Browsers take white space out of it (URL Standard, "basic URL parser")."""
_RUNS: Final = frozenset({"javascript", "vbscript", "data"})


def scheme_of(link: str) -> str:
    """In lower case; "" for a path, or what is no address at all."""
    found = _SCHEME.match(link)
    return "" if found is None else "".join(found[1].lower().split())


def runs_script(link: str) -> bool:
    """Whether a browser that follows it may run what it holds."""
    return scheme_of(link) in _RUNS
