"""`appliance lake`: where the analytics' files are, and whether they are whole."""

from __future__ import annotations

import json
import sys

from appliance import settings
from appliance.addresses import Paths
from appliance.analytics import verify
from appliance.analytics.lake import Lake
from appliance.ops.table import print_table


def path() -> int:
    """Print the folder."""
    print(Paths(settings.load().data).lake / "responses")
    return 0


def check(*, as_json: bool) -> int:
    """Read all files; 1 when anything is wrong with one."""
    found = verify.days(Lake(Paths(settings.load().data).lake))
    if as_json:
        rows = [{"date": f"{one.date}", "responses": one.responses, "fault": one.fault} for one in found]
        print(json.dumps({"days": rows}, indent=2))
    elif not found:
        print("The lake is empty; next: POST /api/v1/analytics/run, or wait for ANALYTICS_CRON.")
    else:
        print_table(
            ("DATE", "RESPONSES", "STATE"),
            [(f"{one.date}", str(one.responses), one.fault or "whole") for one in found],
        )
    if faults := [one for one in found if one.fault]:
        print(
            f"{len(faults)} days are not whole; next: delete the lake's folder and run the analytics anew.",
            file=sys.stderr,
        )
    return 1 if faults else 0
