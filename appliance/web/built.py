"""What scripts/web built: the names of files that change with what they hold, and what the page can do."""

from __future__ import annotations

import functools
from pathlib import Path

import msgspec

STATIC = Path(__file__).parent / "static"
"""What is served as /static/."""


class Language(msgspec.Struct, frozen=True):
    name: str
    """In itself."""
    rtl: bool


class Manifest(msgspec.Struct, frozen=True):
    survey_core: str
    """The version whose rules the page follows; the server holds answers to the same one's."""
    files: dict[str, str]
    preload: list[str]
    """What the page's script cannot do without."""
    themes: list[str]
    languages: dict[str, Language]
    """By survey-core's names."""


@functools.cache
def manifest() -> Manifest:
    return msgspec.json.decode((STATIC / "form" / "manifest.json").read_bytes(), type=Manifest)


def path(source: str) -> str:
    """The address of what was built from a source in frontend/form/."""
    return f"/static/form/{manifest().files[source]}"
