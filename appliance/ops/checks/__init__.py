"""The table of checks."""

from __future__ import annotations

# Importing a module registers its checks; this order is the order of the report.
# isort: off
from appliance.ops.checks import configuration, alerting, data_folder, secret_age, certificates, backups
from appliance.ops.checks import programs, upgrading, tasks, network, host

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
    "network",
    "programs",
    "secret_age",
    "tasks",
    "upgrading",
]
