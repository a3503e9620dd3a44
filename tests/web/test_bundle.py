"""What was built for the page: of which version, under which licence, asking nobody else."""

from __future__ import annotations

import gzip
import json
import re
from typing import get_args

import pytest

from appliance.domain import survey_core
from appliance.services.shapes import Theme
from appliance.settings import HOME
from appliance.web import built

FORM = built.STATIC / "form"
SCRIPTS = sorted(FORM.glob("*.js"))


def test_the_page_follows_the_rules_that_the_server_enforces() -> None:
    assert built.manifest().survey_core == survey_core.VERSION
    oracle = json.loads((HOME / "tests/oracle/package.json").read_text())
    assert oracle["dependencies"]["survey-core"] == survey_core.VERSION


def test_the_themes_are_those_that_a_form_may_name() -> None:
    assert built.manifest().themes == list(get_args(Theme))


def test_the_licences_come_along() -> None:
    licences = (FORM / "LICENSES.txt").read_text()
    for name in ("preact", "survey-core", "survey-react-ui"):
        assert re.search(rf"^{name} \d+\.\d+\.\d+$", licences, re.MULTILINE), name
    assert licences.count("Permission is hereby granted") == 2
    packages = json.loads((HOME / "appliance/web/frontend/package.json").read_text())
    assert set(packages["dependencies"]) == {"preact", "survey-core", "survey-react-ui", "swagger-ui-dist"}


@pytest.mark.parametrize("source", ["main.js", "refused.js", "style.css"])
def test_what_the_page_loads_is_there_under_a_name_of_its_content(source: str) -> None:
    assert re.fullmatch(r"/static/form/\w+-[0-9A-Z]{8}\.(js|css)", built.path(source))
    assert (FORM / built.manifest().files[source]).is_file()
    assert all((FORM / name).is_file() for name in built.manifest().preload)


def test_no_script_makes_code_of_text() -> None:
    """So the policy needs no unsafe-eval."""
    assert len(SCRIPTS) > 60, "a file for each language and theme"
    for script in SCRIPTS:
        assert not re.search(r"\beval\(|new Function\(", script.read_text()), script.name


def test_a_phone_loads_little() -> None:
    """Bytes of a first visit, compressed; what is not compressed here counts as it is."""
    first = [built.manifest().files[name] for name in ("main.js", "style.css")] + built.manifest().preload

    def size(name: str) -> int:
        packed = FORM / f"{name}.gz"
        return (packed if packed.is_file() else FORM / name).stat().st_size

    assert sum(map(size, first)) < 460_000
    largest_language = max(path.stat().st_size for path in SCRIPTS if path.name not in first)
    assert largest_language < 40_000


def test_what_is_compressed_is_the_same() -> None:
    packed = sorted(FORM.glob("*.gz"))
    assert packed
    for path in packed:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes()
