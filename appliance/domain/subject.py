"""Whether a response speaks of a person: by an answer that is just theirs, wherever it stands.

However it is written: Weiß is WEISS, an é may be one character or two, and what nobody sees (U+200B, say)
does not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any, Final

from appliance.domain.values import js_text

_UNSEEN: Final = re.compile(
    r"[\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U00013438"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
"""Unicode's format characters (Cf)."""
_LIKE_ASCII: Final = re.compile(
    rb"\xc2[\xa0\xaa\xad\xb2\xb3\xb9\xba]|\xc3\x9f|\xc4[\xb2\xb3]|\xc5\xbf|\xc7[\x87-\x8c\xb1-\xb3]"
    rb"|\xca[\xb0-\xb8]|\xcb[\xa1-\xa3]|\xcd\xbe|\xd8[\x80-\x85\x9c]|\xdb\x9d|\xdc\x8f|\xe0[\xa2\xa3][\x80-\xbf]"
    rb"|\xe1[\xa0\xb4-\xb6\xba\xbf][\x80-\xbf]|\xe2[\x80-\x82\x84\x85\x91-\x93\xa9\xb1][\x80-\xbf]"
    rb"|\xe3[\x80\x89-\x8b\x8d-\x8f][\x80-\xbf]|\xea\x9f[\x80-\xbf]|\xef[\xac\xb8\xb9\xbb-\xbd\xbf][\x80-\xbf]"
    rb"|\xf0(?:[\x90\x91\x93]|\x9b|\x9d|\x9f)[\x80-\xbf]{2}|\xf3\xa0[\x80-\xbf]{2}"
)
"""UTF-8 of whatever beyond ASCII may be spelled as ASCII, or as nothing; and of some more."""


def spelled(text: str) -> str:
    """As answers are compared: without spaces around it, case, and ways of writing the same letter."""
    if text.isascii():
        return text.strip().lower()
    seen = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    return unicodedata.normalize("NFKC", seen.casefold()).casefold().strip()


def may_hide_ascii(raw: bytes) -> bool:
    """Whether an answer within may be spelled in ASCII though it is written otherwise. True too often."""
    return _LIKE_ASCII.search(raw) is not None


def answers(data: Any, wanted: str) -> bool:
    """Whether any value in the data, however deep, is `wanted` (spelled so). Names do not count."""
    heap = [data]
    while heap:
        value = heap.pop()
        if isinstance(value, Mapping):
            heap += value.values()
        elif isinstance(value, str):
            if spelled(value) == wanted:
                return True
        elif isinstance(value, Iterable):
            heap += value
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and js_text(value) == wanted:
            return True
    return False
