"""A child's signs of life reach its parent, and need nothing of the machine but memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from appliance.settings import HOME

_FORKED = """if True:
    import os
    from appliance.queue.pulse import Pulse
    pulse, other = Pulse(), Pulse()
    assert pulse.is_over
    child = os.fork()
    if child == 0:
        pulse.promise(600)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(pulse.is_over, other.is_over)
"""


def _told(*through: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME)}
    command = [*through, sys.executable, "-P", "-c", _FORKED]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_a_promise_of_the_child_is_seen_by_its_parent() -> None:
    assert _told().stdout == "False True\n"


def test_no_folder_is_needed_for_it() -> None:
    """Where /dev/shm cannot be written, `multiprocessing` shares nothing: workers ended as they started."""
    read_only = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o ro none /dev/shm && exec "$@"', "sh")
    if subprocess.run([*read_only, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    told = _told(*read_only)
    assert told.stdout == "False True\n", told.stderr
