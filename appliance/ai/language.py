"""Which language a text is in, by py3langid (naive Bayes over bytes, BSD), always with the same answer."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, Final, NamedTuple

READ: Final = 1_000
"""Characters of a text that are looked at."""
SURE: Final = 0.3
"""From this confidence on a language is named: "Too expensive" has 0.1, a sentence of six words 0.9."""
# Of the 140 that it knows those that forms are answered in; the rest only draw short texts to themselves.
_SPOKEN: Final = (
    "af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka "
    "kk km kn ko lo lt lv mk ml mn mr ms mt ne nl no pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tl tr "
    "uk ur vi zh"
)


class Language(NamedTuple):
    code: str | None
    """ISO 639-1; None: too short or too mixed to tell."""
    confidence: float


def detect(text: str) -> Language:
    """The language of a clean text. The first call loads the model: 25 MB, about a second."""
    if not any(letter.isalpha() for letter in text[:READ]):
        return Language(None, 0.0)
    code, confidence = _identifier().classify(text[:READ])
    confidence = round(float(confidence), 3)
    return Language(str(code) if confidence >= SURE else None, confidence)


@cache
def _identifier() -> Any:
    langid = importlib.import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    known = set(identifier.nb_classes)
    identifier.set_languages([code for code in _SPOKEN.split() if code in known])
    return identifier
