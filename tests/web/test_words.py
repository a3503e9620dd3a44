from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from appliance.domain.rules import survey_rules
from appliance.settings import HOME
from appliance.web import built, words

PLAIN = {"type": "text", "name": "q"}
TEXTS = sorted((HOME / "appliance/web/texts").glob("*.json"))


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_language_has_every_word_and_its_places(path: Path) -> None:
    english = json.loads((path.parent / "en.json").read_text())
    these = json.loads(path.read_text())
    assert path.stem in built.manifest().languages
    assert these.keys() == english.keys()
    for key, text in these.items():
        assert text.strip(), key
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), key


def test_every_word_that_the_page_asks_for_is_there() -> None:
    sources = "".join(path.read_text() for path in (HOME / "appliance/web/frontend/form").glob("*.js"))
    asked = set(re.findall(r'\btext\(\s*"([\w-]+)"', sources))
    assert len(asked) > 20
    assert asked <= words.texts("en").keys()


@pytest.mark.parametrize(
    "asked, accepted, offered, wanted, chosen",
    [
        (None, "", (), None, "en"),
        (None, "de-AT,de;q=0.9,en;q=0.8", (), None, "de"),
        (None, "sv,de;q=0.5", ("de", "en"), "en", "de"),
        (None, "en;q=0.4, de;q=0.9", ("de", "en"), "en", "de"),
        (None, "sv", ("de", "en"), "de", "de"),
        (None, "sv", (), "fr", "fr"),
        (None, "pt-BR", ("pt-br", "pt"), "pt", "pt-br"),
        (None, "zh-Hant-TW", (), None, "zh-tw"),
        (None, "zh-HK", (), None, "zh-tw"),
        (None, "nb-NO", (), None, "no"),
        ("ar", "de", ("de",), "de", "ar"),
        ("xx", "de", ("de",), None, "de"),
        ("../../etc/passwd", "de;q=0,fr;q=2,*,,;;q=x", (), None, "en"),
        (None, "x" * 5000 + ",de", (), None, "de"),
    ],
)
def test_the_language_of_a_page(
    asked: str | None, accepted: str, offered: tuple[str, ...], wanted: str | None, chosen: str
) -> None:
    assert words.choose(asked, accepted, offered, wanted) == chosen


def test_the_languages_of_a_definition() -> None:
    definition = {
        "title": {"default": "Hello", "de": "Hallo", "zh-Hant": "你好"},
        "elements": [{"type": "text", "name": "q", "title": {"fr": "Q"}, "defaultValue": {"es": "x"}}],
    }
    assert words.spoken(survey_rules(definition).form.survey) == {"de", "fr", "zh-tw"}
    assert words.spoken(survey_rules({"elements": [PLAIN]}).form.survey) == frozenset()


def test_the_documents_name_the_themes_and_languages_that_there_are() -> None:
    document = (HOME / "docs/page.md").read_text()
    row = re.search(r"^\| `theme` \| (.*) \|$", document, re.MULTILINE)
    assert row is not None
    assert re.findall(r"`(\w+)`", row[1]) == built.manifest().themes
    assert f"in {len(built.manifest().languages)} languages" in document
