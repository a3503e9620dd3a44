"""A small run of `scripts/oracle`: generated pairs of fixed seeds, judged by survey-core and by us."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.agreement.compare import Outcome, Pair, compare, plain
from tests.agreement.report import Report
from tests.agreement.run import corpus_pairs, judge_with, pair
from tests.domain.forms import definition_faults
from tests.domain.oracle import Oracle, SurveyCoreFailed, Verdict

Json = dict[str, Any]
SEEDS = range(1_000_000, 1_000_400)


def test_generated_pairs_are_judged_alike(survey_core: Oracle) -> None:
    report = Report(examples=20)
    report.add_all(judge_with(survey_core, ((f"seed {seed}", pair(seed)) for seed in SEEDS)))
    assert report.compared == len(SEEDS)
    assert report.agreement >= 98.5, report.text(0)
    assert not report.taken, report.text(0)


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_every_generated_form_can_be_used(first: int) -> None:
    for seed in range(first, first + 100):
        assert not definition_faults(pair(seed).definition), seed


def test_seeds_give_the_same_pair_again() -> None:
    assert pair(7) == pair(7)


def test_a_report_tells_what_differs_and_what_was_taken() -> None:
    report = Report(examples=1)
    report.add_all([
        ("one", Outcome(True, "same data")),
        ("two", Outcome(False, "other data", "q: ours 1")),
        ("three", Outcome(False, "taken from a client", "/data/q", taken=True)),
        ("four", Outcome(True, "same faults", left_out="refused where it stands")),
    ])  # fmt: skip
    assert report.agreement == 50
    assert report.summary()["differ"] == {"other data": 1, "taken from a client": 1}
    assert report.left_out == {"refused where it stands": 1}
    assert report.taken == ["three: /data/q"]
    assert "differ: other data" in report.text(1)


def test_a_difference_is_seen(survey_core: Oracle) -> None:
    """survey-core takes what a mask would not let through; the answer counts as one that differs."""
    element = {"type": "text", "name": "q", "maskType": "numeric", "maskSettings": {"max": 3}}
    outcome = compare(survey_core, Pair({"elements": [element]}, {"q": 4}))
    assert (outcome.agrees, outcome.cause) == (False, "we refuse")


TEXT = {"type": "text", "name": "q"}
SAID = {"type": "radiogroup", "name": "r", "choices": ["a", {"value": "b", "visibleIf": "{q} = 'x'"}]}


@pytest.mark.parametrize("data", [{"nobody": 1}, {"q": {"x": 1}}, {"r": "zzz", "q": [1]}])
def test_what_nobody_spoiled_is_not_excused(survey_core: Oracle, data: Json) -> None:
    """survey-core takes all this; words of ours such as "is needed, not" make it no agreement."""
    assert not compare(survey_core, Pair({"elements": [TEXT, SAID]}, data)).agrees


def test_what_was_spoiled_is_looked_for_where_it_stands(survey_core: Oracle) -> None:
    form = {"elements": [TEXT, SAID, {"type": "expression", "name": "e", "expression": "1 + 1"}]}
    refused = compare(survey_core, Pair(form, {"q": "a", "nobody": 1}, ("/data/nobody",)))
    assert (refused.agrees, refused.cause, refused.left_out) == (True, "same data", "refused where it stands")
    anew = compare(survey_core, Pair(form, {"q": "a", "e": "forged"}, ("/data/e",), recomputed=True))
    assert (anew.agrees, anew.left_out) == (True, "computed anew")
    taken = compare(survey_core, Pair(form, {"q": "a"}, ("/data/q",)))
    assert (taken.agrees, taken.taken) == (False, True)


def test_all_else_of_a_spoiled_pair_is_compared(survey_core: Oracle) -> None:
    mask = {"type": "text", "name": "m", "maskType": "numeric", "maskSettings": {"max": 3}}
    outcome = compare(survey_core, Pair({"elements": [mask]}, {"m": 4, "nobody": 1}, ("/data/nobody",)))
    assert (outcome.agrees, outcome.cause) == (False, "we refuse")


def test_a_choice_that_survey_core_does_not_offer_either_is_left_out(survey_core: Oracle) -> None:
    outcome = compare(survey_core, Pair({"elements": [TEXT, SAID]}, {"q": "y", "r": "b"}))
    assert (outcome.agrees, outcome.left_out) == (True, "choice that is not offered")


def test_data_are_compared_by_their_json_types(survey_core: Oracle) -> None:
    assert plain({"a": 5, "b": True}) == plain({"a": 5.0, "b": True, "c": None})
    for one, other in ((5, "5"), (1, True), (0, False), ("a", "A"), ("a", " a")):
        assert plain({"a": [one]}) != plain({"a": [other]}), (one, other)


def test_an_error_of_survey_cores_is_no_agreement_and_no_other_error_is_taken_for_one(
    survey_core: Oracle,
) -> None:
    """It throws where a panel is null."""
    panels = {"type": "paneldynamic", "name": "p", "templateElements": [TEXT]}
    with pytest.raises(SurveyCoreFailed):
        survey_core.judge({"elements": [panels]}, {"p": [None]})
    outcome = compare(survey_core, Pair({"elements": [panels]}, {"p": [None]}))
    assert (outcome.agrees, outcome.cause) == (False, "survey-core fails")

    class Broken(Oracle):
        def judge(self, *given: Any) -> Verdict:
            raise AssertionError("a fault of the test's own")

    with pytest.raises(AssertionError):
        compare(Broken(survey_core._process), Pair({"elements": [TEXT]}, {}))


def test_corpus_files_are_pairs(tmp_path: Path) -> None:
    form = {"elements": [{"type": "text", "name": "q"}]}
    (tmp_path / "one.json").write_text(
        json.dumps({"definition": form, "answers": [{"data": {}}, {"data": {"q": "x"}}]})
    )
    found = list(corpus_pairs(tmp_path))
    assert [name for name, _ in found] == ["one.json answers 0", "one.json answers 1"]
    assert found[1][1] == Pair(form, {"q": "x"})
