"""The table of checks."""

from __future__ import annotations

# Importing a module registers its checks; this order is the order of the report.
from appliance.ops.checks import (
    configuration,
    data_folder,
    certificates,
    backups,
    programs,
    tasks,
    network,
    host,
)  # isort: skip
from appliance.ops.findings import CHECKS

__all__ = [
    "CHECKS",
    "backups",
    "certificates",
    "configuration",
    "data_folder",
    "host",
    "network",
    "programs",
    "tasks",
]
