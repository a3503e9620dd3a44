"""The process that asks what somebody wrote can read the lake, and change nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance import landlock

PROGRAM = """
import os, socket, sys
from pathlib import Path
from appliance import landlock
lake, elsewhere = Path(sys.argv[1]), Path(sys.argv[2])
def tried(name, deed):
    try:
        deed()
    except PermissionError:
        print(name, "refused")
    else:
        print(name, "done")
if sys.argv[3] == "confined":
    assert landlock.only_read([lake, Path("/nowhere")])
tried("read", (lake / "kept").read_bytes)
tried("list", lambda: list(lake.iterdir()))
tried("read elsewhere", elsewhere.read_bytes)
tried("write", lambda: (lake / "kept").open("r+"))
tried("empty", lambda: os.truncate(lake / "kept", 0))
tried("add", lambda: (lake / "new").touch())
tried("move", lambda: (lake / "kept").rename(lake / "moved"))
tried("add a folder", lambda: (lake / "folder").mkdir())
tried("link", lambda: (lake / "link").symlink_to("/etc"))
tried("remove", lambda: next(path for path in lake.iterdir() if path.is_file()).unlink())
def connect():
    try:
        socket.create_connection(("127.0.0.1", 9))
    except ConnectionRefusedError:
        pass
tried("connect", connect)
tried("signal", lambda: os.kill(os.getppid(), 0))
"""
KEPT = ("read", "list")


def deeds(folder: Path, how: str) -> dict[str, str]:
    lake = folder / "lake"
    lake.mkdir()
    (lake / "kept").write_text("rows")
    (folder / "secret").write_text("x")
    command = [sys.executable, "-c", PROGRAM, str(lake), str(folder / "secret"), how]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in told.splitlines()}


def test_all_is_done_where_nothing_is_given_up(tmp_path: Path) -> None:
    assert set(deeds(tmp_path, "free").values()) == {"done"}


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock leaves some of it open")
def test_what_is_given_up_is_refused(tmp_path: Path) -> None:
    found = deeds(tmp_path, "confined")
    assert {name: answer for name, answer in found.items() if name in KEPT} == dict.fromkeys(KEPT, "done")
    assert {answer for name, answer in found.items() if name not in KEPT} == {"refused"}
    assert (tmp_path / "lake" / "kept").read_text() == "rows"
