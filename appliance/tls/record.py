"""Why a newer certificate is not served, as `up` has found it: for doctor, status and metrics."""

from __future__ import annotations

import json

from appliance.addresses import Paths
from appliance.disk import write_atomically


def keep(paths: Paths, fault: str | None) -> None:
    """None: all is well. Raises OSError."""
    if fault is None:
        paths.certificate_fault.unlink(missing_ok=True)
    else:
        write_atomically(paths.certificate_fault, json.dumps({"fault": fault}))


def find(paths: Paths) -> str | None:
    try:
        told = json.loads(paths.certificate_fault.read_text())
        return str(told["fault"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
