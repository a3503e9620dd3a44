"""Node exporter as it is started, asked as the guardian does: it has nothing to complain of."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance import addresses, settings
from appliance.addresses import Paths
from appliance.runtime import launch, monitoring
from appliance.runtime.guardian import probes
from appliance.settings import Settings
from tests.runtime.servers import free_port, until


@pytest.fixture
def chosen(tmp_path: Path) -> Settings:
    given = {"APPLIANCE_DATA": str(tmp_path), "APPLIANCE_PORT_BASE": str(free_port())}
    return settings.load(given, dotenv=Path("/nonexistent"))


@pytest.fixture
def log(chosen: Settings, tmp_path: Path) -> Iterator[Path]:
    """Of a node exporter that runs."""
    command = [
        launch.which(monitoring.BINARIES["node-exporter"]),
        *monitoring.command("node-exporter", chosen, Paths(chosen.data)),
    ]
    path = tmp_path / "node-exporter.log"
    with path.open("wb") as file, subprocess.Popen(command, stderr=file, env=dict(os.environ)) as child:
        try:
            probe = probes.of_program("node-exporter", chosen)
            until(lambda: probe() is True, 15, "it answers")
            yield path
        finally:
            child.terminate()


def complaints(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [f"{line.get('name', '')} {line['msg']}" for line in lines if line["level"] in ("warn", "error")]


def test_the_guardian_makes_it_log_nothing(chosen: Settings, log: Path) -> None:
    probe, at_the_start = probes.of_program("node-exporter", chosen), complaints(log)
    assert [probe() for _ in range(20)] == [True] * 20
    page = httpx.get(
        f"http://127.0.0.1:{addresses.inner_port(chosen, 'node-exporter')}/metrics", trust_env=False
    )
    assert page.status_code == 200, "asked last, so all complaints of before are written"
    since = complaints(log)[len(at_the_start) :]
    assert [told for told in since if "supervisord" not in told] == [], "supervisord is not there"
    assert 'collector="systemd"' not in page.text
