"""What a child that may be given anything does to itself first."""

from __future__ import annotations

import os
import subprocess
import sys

from appliance.settings import HOME


def test_a_child_is_the_first_to_end_when_memory_runs_out() -> None:
    """Else the kernel might choose the program that started it."""
    code = (
        "import os; from pathlib import Path; from appliance.services import children;"
        "children.hold_down(os.getppid(), 2**29, 9); print(Path('/proc/self/oom_score_adj').read_text())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(HOME)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "1000"
