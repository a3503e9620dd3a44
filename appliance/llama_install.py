"""Whether what runs language models is there. `scripts/ai` builds it, in the background, after everything
else.

Its folder belongs to whoever owns the code, as the code does: what runs cannot change what it runs.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from appliance import processes
from appliance.settings import HOME

FOLDER = HOME / ".venv-ai"
"""Made by `scripts/ai`: packages/, models/ and, once all of it is there, ready."""
MODELS = FOLDER / "models"
NOTES = HOME / "build" / "ai"
"""Of a build: `state`, and `log` with all that it said."""
CHAT, EMBEDDING = "smollm2-135m-instruct-q4_1.gguf", "all-minilm-l6-v2-q8_0.gguf"
NEXT = "next: ./scripts/ai builds it" if (HOME / "scripts" / "ai").exists() else "this image comes without it"


class State(NamedTuple):
    kind: Literal["ready", "building", "off"]
    detail: str
    """How far it is, or why it is off and what to do next."""


def state() -> State:
    if is_ready():
        return State("ready", "")
    try:
        noted = json.loads((NOTES / "state").read_text())
        kind, pid, start, text = noted["kind"], noted["pid"], noted["start"], noted["text"]
    except (OSError, ValueError, KeyError, TypeError):
        return State("off", f"llama.cpp is not built; {NEXT}")
    if kind == "failed":
        return State("off", f"{text}; the whole of it: {NOTES / 'log'}; {NEXT} anew")
    if processes.start_time(pid) != start:
        return State("off", f"its build was broken off; {NEXT}, going on where it was")
    return State("building", f"{text}{_progress()}" if text.startswith("compiling") else text)


def is_ready() -> bool:
    return (FOLDER / "ready").is_file()


def was_begun() -> bool:
    """Whether anybody ever had it built."""
    return is_ready() or (NOTES / "state").is_file()


def tell_operator() -> str | None:
    """What a start says of it; None when there is nothing to wait for or to mend."""
    found = state()
    if found.kind == "building":
        follow = f"next: ./scripts/appliance status says how far it is; what it does: tail -f {NOTES / 'log'}"
        return f"language models are prepared in the background ({found.detail}), all else works; {follow}"
    return f"AI is off: {found.detail}" if found.kind == "off" and was_begun() else None


def use() -> None:
    """Let this process import llama.cpp. Raises ImportError later, where it is not there."""
    packages = str(FOLDER / "packages")
    if packages not in sys.path:
        sys.path.append(packages)  # last: what both have is ours


def _progress() -> str:
    """How many steps the compiler has done, which ninja tells as it goes."""
    try:
        with (NOTES / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 20_000))
            steps = re.findall(rb"\[(\d+)/(\d+)\]", file.read())
    except OSError:
        return ""
    done, total = map(int, steps[-1]) if steps else (0, 0)
    return f", {100 * done // total} % done" if total else ""


def shipped(name: str) -> Path | None:
    """A default model, if it is there."""
    path = Path(MODELS / name)
    return path if path.is_file() else None
