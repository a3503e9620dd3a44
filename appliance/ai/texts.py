"""Free text made fit to be read: bounded, and in time that grows with its length alone.

Respondents write what they like: a megabyte, control characters, no spaces, any script, nothing. Every
function of `appliance.ai` that takes text takes it through `clean` first, so that no one else need care.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

READ: Final = 20_000
"""Characters of one text that are read; what follows is left unread (some 3,500 words)."""
EMBEDDED: Final = 2_000
"""Characters of one text that the embedding model is given (it reads 512 tokens)."""
WORD: Final = 40
"""Characters of a word that is still a word; longer ones are cut out of phrases."""
SENTENCE: Final = 400
"""Characters of a sentence; a longer one is cut at a space."""

# Controls, soft hyphens, zero-width and bidirectional marks, tags, lone surrogates, private use.
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\uffff"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)
_LINK: Final = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
_WORDS: Final = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_END: Final = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"'”\u2019)\]])\s+|(?<=[\u3002\uff01\uff1f])|\n+")


def clean(text: str, limit: int = READ) -> str:
    """The first `limit` characters without what no reader sees, white space and line ends tidied."""
    lines = (" ".join(line.split()) for line in _UNSEEN.sub("", text[:limit]).splitlines())
    return "\n".join(line for line in lines if line)


def without_links(text: str) -> str:
    return _LINK.sub(" ", text)


def links(text: str) -> int:
    return sum(1 for _ in _LINK.finditer(text))


def words(text: str) -> list[str]:
    """Runs of letters and digits as written, with inner apostrophes and hyphens."""
    return _WORDS.findall(text)


def sentences(text: str, most: int = 200) -> list[str]:
    """At most `most` sentences of a clean text, each of at most `SENTENCE` characters, none of them empty."""
    return list(islice(_sentences(text), most))


def _sentences(text: str) -> Iterator[str]:
    for piece in _END.split(text):
        rest = piece.strip()
        while len(rest) > SENTENCE:
            cut = rest.rfind(" ", SENTENCE // 2, SENTENCE)
            cut = SENTENCE if cut < 0 else cut
            yield rest[:cut]
            rest = rest[cut:].strip()
        if rest:
            yield rest
