"""`appliance model`, and what `status` says of AI."""

from __future__ import annotations

import json
import os
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
    told = json.loads(ended.stdout)["models"][0]
    need = told["need"]
    assert told["context"] == 4096
    assert need["weights"] == models.chat_model().stat().st_size, "its output is its embedding"
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
    back = appliance_command("model", "use", "default", data=data)
    assert back.returncode == 0, back.stderr
    rows = json.loads(appliance_command("model", "list", "--json", data=data).stdout)["models"]
    chosen = {row["used"]: row["path"] for row in rows if row["used"]}
    assert chosen["chat (default)"] == str(models.chat_model())


def test_status_tells_of_ai(tmp_path: Path) -> None:
    report = json.loads(appliance_command("status", "--json", data=tmp_path / "data").stdout)
    assert report["ai"]["kind"] == "ready"
    assert report["ai"]["chat"] == models.chat_model().stem


@pytest.mark.parametrize("kind", ["cut off", "no GGUF", "missing", "too big"])
def test_check_says_what_is_wrong_and_what_to_do(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "model.gguf"
    if kind != "missing":
        file.write_bytes(models.chat_model().read_bytes())
    if kind == "cut off":
        os.truncate(file, 50_000_000)
    elif kind == "no GGUF":
        file.write_bytes(b"PK" * 1000)
    elif kind == "too big":
        os.truncate(file, 20 * 2**30)  # a hole: none of it is read
    ended = appliance_command("model", "check", str(file), data=tmp_path / "data")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert str(file) in ended.stdout
    assert "next: " in ended.stdout
    words = {"cut off": "is cut off", "no GGUF": "is no GGUF", "missing": "No such", "too big": "20.0 GiB of"}
    assert words[kind] in ended.stdout


def test_bench_measures_what_is_used(tmp_path: Path) -> None:
    ended = appliance_command("model", "bench", "--json", data=tmp_path / "data")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["threads"] >= 1
    counts = {row["work"]: row["count"] for row in told["rows"]}
    assert counts["vectors"] == counts["labels scored"] == 60
    assert counts["an answer"] == 100
    assert counts["a prompt"] > 450
    assert all(row["seconds"] > 0 and row["cpu"] > 0 for row in told["rows"])
