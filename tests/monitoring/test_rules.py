"""Every alert is explained, fires where it should and nowhere else; each of its numbers is held by a case."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from appliance import settings
from appliance.own_alerts import KINDS
from appliance.runtime import launch, routing
from appliance.settings import HOME
from tests.monitoring import mutants, own_cases
from tests.monitoring.cases import CASES as FIRST
from tests.monitoring.cases import Alert, Case
from tests.monitoring.mutants import Rule
from tests.monitoring.request_cases import REQUEST_CASES

RULES = HOME / "deploy" / "prometheus" / "appliance.rules.yml"
CASES = FIRST + REQUEST_CASES
BUDGET = ("ErrorBudgetBurnsFast", "ErrorBudgetBurnsSlowly")
RECORDED_FOR = {
    "instance:cpu_busy:ratio": ("CpuBusy",),
    "filesystem:free:ratio": ("DiskFillsUp", "DiskNearlyFull"),
    "appliance:http_requests:rate5m": (*BUDGET, "RequestsSlow"),
    "appliance:http_errors:rate5m": BUDGET,
    "appliance:http_errors:ratio5m": BUDGET[:1],
    "appliance:http_errors:ratio30m": BUDGET[:1],
    "appliance:http_errors:ratio1h": BUDGET[:1],
    "appliance:http_errors:ratio6h": BUDGET,
    "appliance:http_errors:ratio3d": BUDGET[1:],
    "appliance:http_errors:increase1h": BUDGET[:1],
    "appliance:http_errors:increase6h": BUDGET[1:],
    "appliance:http_request_duration_seconds:p95": ("RequestsSlow",),
}
"""Who is told by it: what is wrong with it is seen by one of them."""


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([launch.which("promtool"), *words], capture_output=True, text=True, check=False)


@functools.cache
def rules() -> list[Rule]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> dict[str, Rule]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def recorded() -> dict[str, Rule]:
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def judge(
    folder: Path, name: str, changed: Rule | None = None, cases: Iterable[Case] = CASES
) -> subprocess.CompletedProcess[str]:
    """The alert's cases by its rule and those recorded for it, one of them perhaps changed."""
    cases = [case for case in cases if case.alert == name]
    own = [rule for record, rule in recorded().items() if name in RECORDED_FOR[record]] + [alerts()[name]]
    if changed is not None:
        key = "record" if "record" in changed else "alert"
        own = [changed if rule.get(key) == changed[key] else rule for rule in own]
    folder.mkdir(exist_ok=True)
    (folder / "rules.json").write_text(json.dumps({"groups": [{"name": "all", "rules": own}]}))
    every = sorted({case.every for case in cases})
    for span in every:
        tests = [promtools(case) for case in cases if case.every == span]
        told = {"rule_files": ["rules.json"], "evaluation_interval": span, "tests": tests}
        (folder / f"{span}.json").write_text(json.dumps(told))
    return promtool("test", "rules", *(str(folder / f"{span}.json") for span in every))


def promtools(case: Case) -> dict[str, Any]:
    rule = alerts()[case.alert]
    looks: list[dict[str, Any]] = [
        {"eval_time": at, "alertname": case.alert, "exp_alerts": []} for at in case.quiet
    ]
    expected = [as_expected(alert, rule) for alert in case.told]
    looks += [{"eval_time": at, "alertname": case.alert, "exp_alerts": expected} for at in case.fires]
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    return {"interval": case.every, "input_series": series, "alert_rule_test": looks}


def as_expected(alert: Alert, rule: Rule) -> dict[str, Any]:
    def label(found: re.Match[str]) -> str:
        return alert.labels[found[1]]

    next_step = re.sub(r"\{\{ \$labels\.(\w+) \}\}", label, rule["annotations"]["next"])
    return {
        "exp_labels": {**rule["labels"], **alert.labels},
        "exp_annotations": {"summary": alert.summary, "next": next_step},
    }


def test_the_rules_are_sound() -> None:
    ended = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    names = [rule["alert"] for rule in rules() if "alert" in rule]
    assert len(names) == len(set(names)) > 20


@pytest.mark.parametrize("name", alerts())
def test_it_fires_and_does_not(name: str, tmp_path: Path) -> None:
    ended = judge(tmp_path, name)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    of_it = [case for case in CASES if case.alert == name]
    assert any(case.fires for case in of_it)
    assert any(case.quiet for case in of_it) or name == "Watchdog"


def by_cost(name: str) -> Iterator[list[Case]]:
    """The alert's short cases together, then one long one after the other, the longest last."""
    short = [case for case in CASES if case.alert == name and not case.is_long]
    yield from ([short] if short else [])
    long = [case for case in CASES if case.alert == name and case.is_long]
    yield from ([case] for case in sorted(long, key=last_look))


def last_look(case: Case) -> int:
    """In minutes."""
    return max(int(at.removesuffix("m")) for at in (*case.quiet, *case.fires))


def wrong() -> Iterator[tuple[tuple[str, ...], str, Rule]]:
    """The alerts that may see it, what was changed, and the rule so changed."""
    for name, rule in alerts().items():
        if name != "Watchdog":  # whatever its number is, it is there
            yield from (((name,), what, changed) for what, changed in mutants.of_rule(rule))
    for record, names in RECORDED_FOR.items():
        yield from ((names, what, changed) for what, changed in mutants.of_rule(recorded()[record]))


def test_each_change_of_a_rule_is_seen(tmp_path: Path) -> None:
    made = list(wrong())
    assert len(made) > 100

    def survives(number: int) -> str | None:
        names, what, changed = made[number]
        for name in names:
            for cases in by_cost(name):
                ended = judge(tmp_path / f"{number}-{name}", name, changed, cases)
                assert "unexpected error" not in ended.stderr
                if ended.returncode != 0:
                    return None
        return f"{changed.get('record', names[0])}: {what}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        survivors = [each for each in pool.map(survives, range(len(made))) if each]
    assert survivors == []


def test_a_change_is_a_rule_too(tmp_path: Path) -> None:
    """Else it would be seen because nobody can read it."""
    groups = [{"name": f"g{n}", "rules": [changed]} for n, (_, _, changed) in enumerate(wrong())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": groups}))
    ended = promtool("check", "rules", str(tmp_path / "rules.json"))
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_each_alert_has_a_severity_a_summary_a_next_step_and_a_page() -> None:
    pages = re.findall(r"^## (\w+)$", (HOME / "docs" / "alerts.md").read_text(), re.MULTILINE)
    assert pages == [*alerts(), *KINDS]
    for name, rule in alerts().items():
        assert rule["labels"].keys() == {"severity"}, name
        assert rule["labels"]["severity"] in ("none", "info", "warning", "critical")
        assert rule["annotations"].keys() == {"summary", "next"}, name
        assert re.search(r"\./scripts/\w+|docs/\w+\.md|^du -", rule["annotations"]["next"]), name


def test_each_of_our_own_is_told_apart_and_is_tested() -> None:
    assert KINDS.keys() == own_cases.MADE.keys(), "each has a test that brings it about"
    assert not KINDS.keys() & alerts().keys()
    for name, kind in KINDS.items():
        assert kind.severity in ("info", "warning", "critical")
        assert re.search(r"\./scripts/\w+|docs/\w+\.md", kind.next), name
        assert set(kind.instead_of) <= alerts().keys(), name
        seen = [alert for case in CASES if case.alert in kind.instead_of for alert in case.told]
        assert all(set(kind.equal) <= alert.labels.keys() for alert in seen), f"nothing stands for {name}"


def test_each_has_a_route(tmp_path: Path) -> None:
    """By amtool, which reads the configuration as Alertmanager does."""
    given = {
        "APPLIANCE_DATA": str(tmp_path),
        "SMTP_URL": "smtp://localhost",
        "ALERT_EMAIL": "a@b.test",
        "ALERT_PAGERDUTY_KEY": "k" * 32,
    }
    config = routing.write(settings.load(given, dotenv=Path("/nonexistent")), tmp_path)
    reaches = {
        "none": ["watchdog"],
        "info": ["inbox"],
        "warning": ["inbox", "warning"],
        "critical": ["inbox", "pagerduty", "critical"],
    }
    severities = {name: rule["labels"]["severity"] for name, rule in alerts().items()}
    severities |= {name: kind.severity for name, kind in KINDS.items()}
    for name, severity in severities.items():
        words = [f"--config.file={config}", f"alertname={name}", f"severity={severity}"]
        command = [launch.which("amtool"), "config", "routes", "test", *words]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert told.strip().split(",") == reaches[severity], name
    made = json.loads(config.read_text())["receivers"]
    inbox = next(each for each in made if each["name"] == "inbox")["webhook_configs"][0]
    assert inbox["url"].endswith("/internal/alerts") and inbox["send_resolved"]


FUNCTIONS = {"histogram_quantile", "predict_linear", "sum_over_time"}
_NAME = re.compile(r"\b[a-zA-Z_]\w*[_:][\w:]*\b")


def names(expression: str) -> set[str]:
    """Of metrics, in PromQL."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|\b(?:by|on) \([^)]*\)", "", expression)
    return set(_NAME.findall(bare)) - FUNCTIONS


def asked() -> set[str]:
    return set().union(*(names(rule["expr"]) for rule in rules())) - recorded().keys()


def test_what_is_asked_of_the_appliance_is_documented() -> None:
    documented = set(re.findall(r"`(appliance_\w+)`", (HOME / "docs" / "metrics.md").read_text()))
    wanted = {name.removesuffix("_bucket") for name in asked() if name.startswith("appliance_")}
    assert wanted and wanted <= documented
