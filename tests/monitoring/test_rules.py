"""Every alert is explained, fires where it should and nowhere else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from appliance.runtime import launch
from appliance.settings import HOME

RULES = HOME / "deploy" / "prometheus" / "appliance.rules.yml"
TESTS = Path(__file__).with_name("rules.test.yml")


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([launch.which("promtool"), *words], capture_output=True, text=True, check=False)


def alerts() -> list[str]:
    return re.findall(r"^ +- alert: (\w+)$", RULES.read_text(), re.MULTILINE)


def test_the_rules_are_sound() -> None:
    ended = promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(alerts()) == len(set(alerts())) > 10


def test_each_alert_fires_and_does_not() -> None:
    ended = promtool("test", "rules", str(TESTS))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = TESTS.read_text()
    quiet = set(re.findall(r"alertname: (\w+), exp_alerts: \[\]", said))
    fired = set(re.findall(r"alertname: (\w+), exp_alerts: \[\{", said))
    assert fired == set(alerts())
    assert quiet == set(alerts()) - {"Watchdog"}


def test_a_rule_that_is_wrong_is_seen(tmp_path: Path) -> None:
    """The tests above can fail."""
    text = RULES.read_text()
    assert "> 0.9\n" in text
    (tmp_path / "rules.yml").write_text(text.replace("> 0.9\n", "> 0.99\n"))
    told = TESTS.read_text().replace("../../deploy/prometheus/appliance.rules.yml", "rules.yml")
    (tmp_path / "test.yml").write_text(told)
    assert promtool("test", "rules", str(tmp_path / "test.yml")).returncode == 1


def test_each_alert_has_a_severity_a_summary_and_a_page() -> None:
    pages = re.findall(r"^## (\w+)$", (HOME / "docs" / "alerts.md").read_text(), re.MULTILINE)
    assert pages == alerts()
    for part in RULES.read_text().split("- alert: ")[1:]:
        assert re.search(r"labels: \{severity: (none|info|warning|critical)\}", part), part
        assert "annotations: {summary: " in part


def names(expression: str) -> set[str]:
    """Of metrics, in PromQL."""
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]|by \([^)]*\)|on \([^)]*\)", "", expression)
    return set(re.findall(r"\b[a-z_:]+_[a-z_:]+\b", bare)) - {"predict_linear"}


def asked() -> set[str]:
    found = promtool("check", "rules", str(RULES))
    assert found.returncode == 0
    lines = re.findall(r"expr: (.+)$", RULES.read_text(), re.MULTILINE)
    recorded = set(re.findall(r"record: (\S+)$", RULES.read_text(), re.MULTILINE))
    return set().union(*map(names, lines)) - recorded


def test_what_is_asked_of_the_appliance_is_documented() -> None:
    documented = set(re.findall(r"`(appliance_\w+)`", (HOME / "docs" / "metrics.md").read_text()))
    wanted = {name for name in asked() if name.startswith("appliance_")}
    assert wanted and wanted <= documented
