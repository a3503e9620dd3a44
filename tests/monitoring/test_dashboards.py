"""Each expression of the dashboards asks for what is really told, by labels that it has, and is answered."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from appliance.settings import HOME
from tests.api.forms import publish, submit
from tests.monitoring.test_rules import names, recorded
from tests.monitoring.test_running import ask
from tests.people import People
from tests.running import Running
from tests.runtime.servers import until

FOLDER = HOME / "deploy" / "grafana"
NAMES = {"overview", "api", "tasks", "ai-analytics", "machine"}
ONLY_SOMETIMES = {
    "appliance_backup_last_success": "no backup yet",
    "appliance_backup_seconds": "no backup yet",
    "appliance_backup_drill_seconds": "no drill yet",
    "appliance_lake_": "no run yet",
    "appliance_ai_pending": "AI is off",
    "appliance_chore_failures_total": "no chore failed",
    "appliance_http_requests_total{status=~": "nothing failed",
    "mongodb_ss_opLatencies": "SecantusDB does not tell",
    "mongodb_dbstats_": "SecantusDB does not tell",
}
"""What has no answer here, and why. Its metrics are documented all the same."""


class Target(NamedTuple):
    board: str
    panel: str
    expression: str
    legend: str


@functools.cache
def boards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


def targets() -> Iterator[Target]:
    for name, board in boards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                yield Target(name, panel["title"], target["expr"], target.get("legendFormat", ""))


def labels(expression: str) -> Iterator[tuple[str, str]]:
    """Each metric with a label that it is asked by."""
    for name, matchers in re.findall(r"([\w:]+)\{([^}]*)\}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers):
            yield name, label


def is_empty_by_right(expression: str) -> bool:
    return any(part in expression for part in ONLY_SOMETIMES)


def test_there_are_five_and_each_panel_is_its_own() -> None:
    assert boards().keys() == NAMES
    assert len({board["uid"] for board in boards().values()}) == len(NAMES)
    for board in boards().values():
        panels = board["panels"]
        assert (
            len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
        )
        for panel in panels:
            assert panel["datasource"]["uid"] == "${source}", "whoever imports it chooses the Prometheus"
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
        places = [panel["gridPos"] for panel in panels]
        assert len({(place["x"], place["y"]) for place in places}) == len(places)
    assert [variable["name"] for variable in boards()["api"]["templating"]["list"]] == ["source"]


def test_what_is_asked_of_the_appliance_is_documented() -> None:
    told = set(re.findall(r"^\| `(\w+)`", (HOME / "docs" / "metrics.md").read_text(), re.MULTILINE))
    for target in targets():
        for name in names(target.expression):
            if name.startswith(("appliance_", "nginx_", "mongodb_")):
                assert name.removesuffix("_bucket") in told, target
            if ":" in name:
                assert name in recorded(), target


@pytest.fixture(scope="module")
def series(appliance: Running, cast: People) -> dict[str, set[str]]:
    """By metric: the names of the labels of all its series, once something has happened."""
    submit(cast.alice, publish(cast.alice))
    wanted = {
        name
        for target in targets()
        if not is_empty_by_right(target.expression)
        for name in names(target.expression)
    } - {"ALERTS"}
    found: dict[str, set[str]] = {}

    def are_told() -> bool:
        for row in ask(appliance, "/api/v1/series", **{"match[]": '{__name__=~".+"}'})["data"]:
            found.setdefault(row["__name__"], set()).update(row.keys() - {"__name__"})
        return wanted <= found.keys()

    try:
        until(are_told, 60)
    except AssertionError:
        pytest.fail(f"nobody tells {sorted(wanted - found.keys())}")
    found["ALERTS"] = {"alertname", "alertstate", "severity"}
    return found


def test_each_label_that_is_asked_by_is_there(series: dict[str, set[str]]) -> None:
    for target in targets():
        for name, label in labels(target.expression):
            if name in series:
                assert label in series[name], (name, label, target)
        asked = names(target.expression) & series.keys()
        grouped = re.findall(r"\bby \(([^)]*)\)", target.expression)
        for label in re.findall(r"\w+", " ".join(grouped)):
            assert not asked or any(label in series[name] for name in asked), (label, target)


def test_each_expression_has_an_answer(appliance: Running, series: dict[str, set[str]]) -> None:
    assert series
    for target in targets():
        answer: list[Any] = []

        def has_answer(target: Target = target, answer: list[Any] = answer) -> bool:
            answer[:] = ask(appliance, "/api/v1/query", query=target.expression)["data"]["result"]
            return bool(answer) or is_empty_by_right(target.expression)

        until(has_answer, 60, f"there is an answer to {target}")
        for label in re.findall(r"\{\{(\w+)\}\}", target.legend):
            assert all(label in row["metric"] for row in answer), target


def test_what_may_be_empty_is_asked_for() -> None:
    """An exception that nobody needs hides the next mistake."""
    for part in ONLY_SOMETIMES:
        assert any(part in target.expression for target in targets()), part


def test_they_come_with_an_installation() -> None:
    listed = (HOME / "deploy" / "contents").read_text().split()
    assert "deploy" in listed and Path(FOLDER).is_relative_to(HOME / "deploy")
