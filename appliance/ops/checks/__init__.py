"""The table of checks."""

from __future__ import annotations

# Importing a module registers its checks; this order is the order of the report.
from appliance.ops.checks import configuration, data_folder, secret_age, programs, tasks, network, host  # isort: skip
from appliance.ops.findings import CHECKS

__all__ = ["CHECKS", "configuration", "data_folder", "host", "network", "programs", "secret_age", "tasks"]
