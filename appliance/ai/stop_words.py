"""Words that carry a sentence but say nothing of what it is about; phrases end at them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

FILE: Final = Path(__file__).with_name("stop_words.txt")


@cache
def stop_words() -> dict[str, frozenset[str]]:
    """By language (ISO 639-1), in lower case. Of other languages there are none."""
    lines = (line.split() for line in FILE.read_text("utf-8").splitlines())
    return {code: frozenset(words) for code, *words in lines}
