"""`appliance reload`: settings, certificates and keys are read anew, without one failed request."""

from __future__ import annotations

import signal
import time

from appliance import settings
from appliance.addresses import Paths
from appliance.ops import instance, parent
from appliance.ops.supervisor import NotRunning
from appliance.runtime import place, reloading

_LOOK = 0.1
BEGIN_SECONDS = 15.0
"""The appliance writes down at once that it has begun, or it cannot write at all."""
_STATUS = {"done": 0, "failed": 1, "refused": 2}


def run() -> int:
    """Waits for the end and tells it; 1 when it ended midway or keeps silent, 2 when it was refused.

    Raises SettingError, CannotStart.
    """
    data = settings.find_data()  # the settings are judged by what runs
    place.check_readable(data)
    paths = Paths(data)
    before = reloading.read_outcome(paths)
    # One that runs already may have read the settings before they were changed: ours comes after it.
    wanted = (before.number if before else 0) + 1
    if not parent.send(paths, signal.SIGHUP):
        raise NotRunning(instance.describe_absence(data))
    told, silent = 0, time.monotonic()
    while True:
        outcome = reloading.read_outcome(paths)
        if outcome and (outcome.state == "running" or outcome.number >= wanted):
            silent = time.monotonic()
        elif time.monotonic() - silent > BEGIN_SECONDS:
            print(f"nothing is heard of the reload, which could not be written to {paths.reload_outcome};"
                  " next: see what `up` has said, and ./scripts/appliance doctor for the disk")  # fmt: skip
            return 1
        if outcome and outcome.number >= wanted:
            for line in outcome.lines[told:]:
                print(line, flush=True)
            told = len(outcome.lines)
            if outcome.state != "running":
                return _STATUS[outcome.state]
        if parent.find(paths) is None:
            print(f"the appliance has ended meanwhile; see {paths.logs}")
            return 1
        time.sleep(_LOOK)
