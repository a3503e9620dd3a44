"""Labels and messages, in the languages that a form has."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from appliance.domain.xlsform.columns import LOCALISED, column
from appliance.domain.xlsform.sheets import Row, Sheet, Workbook

Localised = str | dict[str, str]
_CODE: Final = re.compile(r"\(\s*([A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*)\s*\)\s*$")
_PLAIN_CODE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_NAMES: Final = {
    "arabic": "ar", "bengali": "bn", "bangla": "bn", "burmese": "my", "chinese": "zh-cn", "dutch": "nl",
    "english": "en", "farsi": "fa", "persian": "fa", "french": "fr", "français": "fr", "german": "de",
    "deutsch": "de", "hindi": "hi", "indonesian": "id", "italian": "it", "japanese": "ja", "khmer": "kh",
    "kiswahili": "swh", "korean": "ko", "nepali": "ne", "polish": "pl", "portuguese": "pt", "russian": "ru",
    "somali": "so", "spanish": "es", "español": "es", "swahili": "swh", "tagalog": "tl", "thai": "th",
    "turkish": "tr", "ukrainian": "ua", "urdu": "ur", "vietnamese": "vi",
}  # fmt: skip
"""Languages that authors write without a code, with the codes that survey-core has for them."""
_REF: Final = re.compile(r"\$\{\s*([^{}]*?)\s*\}")


@dataclass(frozen=True, slots=True)
class Languages:
    """`codes` by the name in the headers; `default` is the name of the form's own language."""

    codes: dict[str, str]
    default: str

    @property
    def locale(self) -> str:
        """For the definition: "" where it is English or not known."""
        code = self.codes.get(self.default, "")
        return "" if code == "en" else code

    def text(self, row: Row, name: str) -> Localised | None:
        """The cells of one column in all languages; None where they are empty."""
        found = {key[1]: text for key, text in _cells(row, name)}
        if not found:
            return None
        own = found.get(self.default) or found.get("") or next(iter(found.values()))
        coded = {self.codes[language]: text for language, text in found.items() if language}
        if "" in found and self.default:
            coded.setdefault(self.codes[self.default], found[""])
        if len(self.codes) < 2 or not coded:
            return own
        english = coded.pop("en", None)
        told = {"default": english or own, **coded}
        return told if len(told) > 1 else own


def _cells(row: Row, name: str) -> Iterable[tuple[tuple[str, str], str]]:
    for header, text in row.cells.items():
        base, _, language = header.partition("::")
        if base == name:
            yield (base, language), text


def languages(book: Workbook, wanted: str) -> Languages:
    """Those of the headers; `wanted` is what settings call the default one."""
    found: dict[str, str] = {}
    plain = False
    for name in ("survey", "choices"):
        sheet = book.sheets.get(name)
        for one in _headers(sheet) if sheet else ():
            if one:
                found.setdefault(one, code(one))
            else:
                plain = True
    default = _default(found, wanted, plain)
    if default and default not in found:
        found[default] = code(default)
    return Languages(found, default)


def _headers(sheet: Sheet) -> list[str]:
    named = [column(sheet.name, header) for header in sheet.headers]
    return [one.language for one in named if one.name in LOCALISED]


def _default(found: dict[str, str], wanted: str, plain: bool) -> str:
    if wanted:
        return next((one for one in found if wanted.lower() in (one.lower(), found[one].lower())), wanted)
    return "" if plain or not found else next(iter(found))


def code(language: str) -> str:
    """`fr` of `Français (fr)`; a name of which no code is known is taken as it is, in small letters."""
    if (found := _CODE.search(language)) is not None:
        return found[1].replace("_", "-").lower()
    plain = language.strip().lower()
    if plain in _NAMES:
        return _NAMES[plain]
    return plain if _PLAIN_CODE.fullmatch(plain) else re.sub(r"\W+", "-", plain).strip("-") or "unknown"


def is_coded(language: str) -> bool:
    """Whether the code is one, or just the name."""
    plain = language.strip().lower()
    return bool(_CODE.search(language)) or plain in _NAMES or bool(re.fullmatch("[a-z]{2,3}(-.+)?", plain))


def each(text: Localised, change: Callable[[str], str]) -> Localised:
    """`change` of each language's text."""
    if isinstance(text, str):
        return change(text)
    return {language: change(one) for language, one in text.items()}


def references(text: str) -> list[str]:
    return _REF.findall(text)


def replaced(text: str, names: dict[str, str]) -> str:
    """`${name}` as texts of SurveyJS write it; what has no name here stays as it is."""
    return _REF.sub(lambda found: f"{{{names[found[1]]}}}" if found[1] in names else found[0], text)
