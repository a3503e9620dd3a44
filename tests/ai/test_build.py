"""What is told of the build of llama.cpp while it goes on, and once it has failed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from appliance import llama_install, processes


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(llama_install, "FOLDER", tmp_path / "made")
    monkeypatch.setattr(llama_install, "NOTES", tmp_path)
    return tmp_path


def note(notes: Path, kind: str, text: str) -> None:
    """As scripts/ai does; the process that is at work is this one."""
    pid = os.getpid()
    row = {"kind": kind, "pid": pid, "start": processes.start_time(pid), "text": text}
    (notes / "state").write_text(json.dumps(row))


def test_a_build_that_goes_on_is_told_with_how_far_it_is(notes: Path) -> None:
    (notes / "log").write_text("[1/12] Building CXX object\n[3/12] Building CXX object\n")
    note(notes, "building", "compiling llama.cpp")
    assert llama_install.state() == ("building", "compiling llama.cpp, 25 % done")
    told = llama_install.tell_operator()
    assert told is not None
    assert told.startswith("language models are prepared in the background (compiling llama.cpp, 25 % done)")
    assert f"next: ./scripts/appliance status says how far it is; what it does: tail -f {notes}/log" in told
    note(notes, "building", "converting the models")
    assert llama_install.state() == ("building", "converting the models")


def test_one_that_has_failed_is_told_with_what_is_next(notes: Path) -> None:
    note(notes, "failed", "there is no C++ compiler")
    told = llama_install.tell_operator()
    assert told == (
        f"AI is off: there is no C++ compiler; the whole of it: {notes}/log; {llama_install.NEXT} anew"
    )


def test_nothing_is_told_of_what_is_there_or_was_never_begun(notes: Path) -> None:
    assert llama_install.tell_operator() is None
    (notes / "made").mkdir()
    (notes / "made" / "ready").touch()
    assert llama_install.tell_operator() is None
