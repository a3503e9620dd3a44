"""The table of checks."""

from __future__ import annotations

# Importing a module registers its checks; this order is the order of the report.
# isort: off
from appliance.ops.checks import (
    configuration,
    alerting,
    data_folder,
    inside,
    secret_age,
    certificates,
    backups,
    lake,
)
from appliance.ops.checks import programs, stores, upgrading, tasks, network, reach, host

# isort: on
from appliance.ops.findings import CHECKS

__all__ = [
    "CHECKS",
    "alerting",
    "backups",
    "certificates",
    "configuration",
    "data_folder",
    "host",
    "inside",
    "lake",
    "network",
    "programs",
    "reach",
    "secret_age",
    "stores",
    "tasks",
    "upgrading",
]
