"""`appliance model`, and what `status` says of AI."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import models
from tests.ops.command import appliance_command


@pytest.fixture(autouse=True)
def _built() -> None:
    models.until_built()


def test_list_names_what_is_used(tmp_path: Path) -> None:
    ended = appliance_command("model", "list", "--json", data=tmp_path / "data")
    assert ended.returncode == 0, ended.stderr
    rows = {row["name"]: row for row in json.loads(ended.stdout)["models"]}
    assert rows[models.chat_model().stem]["used"] == "chat (default)"
    assert rows[models.embedding_model().stem]["used"] == "embedding (default)"


def test_check_counts_what_a_model_takes(tmp_path: Path) -> None:
    ended = appliance_command("model", "check", str(models.chat_model()), "--json", data=tmp_path / "data")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    need = told["need"]
    assert told["context"] == 4096
    assert need["weights"] == models.chat_model().stat().st_size
    assert need["cache"] == (4096 + 2048) * 30 * 3 * (64 + 64) * 2
    assert need["total"] == sum(need[each] for each in ("weights", "cache", "buffers", "own"))
    assert need["total"] < told["memory"]


def test_use_takes_a_good_one_and_no_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    other = tmp_path / "other.gguf"
    other.write_bytes(models.chat_model().read_bytes())
    used = appliance_command("model", "use", str(other), data=data)
    assert used.returncode == 0, used.stderr
    assert "next: ./scripts/appliance reload" in used.stdout
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"no model")
    refused = appliance_command("model", "use", str(broken), data=data)
    assert refused.returncode == 2
    assert f"{broken} is no GGUF file" in refused.stderr
    rows = json.loads(appliance_command("model", "list", "--json", data=data).stdout)["models"]
    assert [row["path"] for row in rows if (row["used"] or "").startswith("chat")] == [str(other)]
    back = appliance_command("model", "use", models.chat_model().stem, data=data)
    assert back.returncode == 0, back.stderr


def test_status_tells_of_ai(tmp_path: Path) -> None:
    report = json.loads(appliance_command("status", "--json", data=tmp_path / "data").stdout)
    assert report["ai"]["kind"] == "ready"
    assert report["ai"]["chat"] == models.chat_model().stem
