"""Advice on the machine's size: what is measured goes in, and it grows with what is asked."""

from __future__ import annotations

import json

import pytest

from appliance.cli import main
from appliance.ops.size import MOST, advise


def test_a_small_office_needs_the_least() -> None:
    advice = advise(100, 1)
    assert (advice.cpus, advice.memory, advice.embedded_database) == (2, 2 * 2**30, True)
    assert advice.disk_a_year < 5 * 2**30


def test_a_response_as_it_was_measured() -> None:
    """0.9 KB took 11,192 bytes; advice must not be below what was seen, nor far above."""
    assert 11_100 <= advise(1, 0.9).bytes_a_response <= 11_700


def test_it_grows() -> None:
    steps = [advise(10**power, 1) for power in range(2, 8)]
    assert [step.cpus for step in steps] == sorted(step.cpus for step in steps)
    assert [step.disk_a_year for step in steps] == sorted({step.disk_a_year for step in steps})
    assert steps[-1].busiest_second > MOST and not steps[-1].embedded_database
    assert advise(1000, 10).disk_a_year > advise(1000, 1).disk_a_year


@pytest.mark.parametrize(
    "arguments", [["0"], ["-5"], ["10", "--kilobytes", "0"], ["10", "--kilobytes", "nan"]]
)
def test_what_is_no_size_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["size", *arguments])
    except SystemExit as refusal:  # argparse takes -5 for an option
        status = int(refusal.code or 0)
    assert status == 2
    assert capsys.readouterr().err


def test_it_says_what_it_assumes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["size", "10000000"]) == 0
    told = capsys.readouterr().out
    assert "assumed" in told and "MONGODB_URI" in told and "docs/systemd.md" in told
    assert main(["size", "1000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cpus"] == 2
