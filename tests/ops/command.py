"""The command `appliance` as an operator calls it: a process of its own with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.settings import HOME


def appliance_command(
    *arguments: str, data: Path, command: Sequence[str] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(command) or [sys.executable, "-P", "-m", "appliance", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "APPLIANCE_DATA": str(data), **environ},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
