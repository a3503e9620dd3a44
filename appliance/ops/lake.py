"""`appliance lake`: where the analytics' files are, whether they are whole, and copies of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance import disk, settings
from appliance.addresses import Paths
from appliance.analytics import sharing, verify
from appliance.analytics.lake import Lake
from appliance.errors import CannotStart
from appliance.ops.table import print_table


def path(*, as_json: bool) -> int:
    """Print the folder."""
    folder = str(Paths(settings.load().data).lake / "responses")
    print(json.dumps({"folder": folder}) if as_json else folder)
    return 0


def check(*, as_json: bool) -> int:
    """Read all files; 1 when anything is wrong with one."""
    found = verify.files(Lake(Paths(settings.load().data).lake))
    if as_json:
        rows = [{"date": one.date, "rows": one.rows, "fault": one.fault} for one in found]
        print(json.dumps({"files": rows}, indent=2))
    elif not found:
        print("The lake is empty; next: POST /api/v1/analytics/run, or wait for ANALYTICS_CRON.")
    else:
        print_table(
            ("FILE", "ROWS", "STATE"),
            [(one.date, str(one.rows), one.fault or "whole") for one in found],
        )
    if faults := [one for one in found if one.fault]:
        print(
            f"{len(faults)} files are not whole; next: ./scripts/appliance lake rebuild",
            file=sys.stderr,
        )
    return 1 if faults else 0


def rebuild(*, as_json: bool) -> int:
    """Throw the lake away, so that the next run makes it anew from the database."""
    lake = Lake(Paths(settings.load().data).lake)
    with disk.only_one(lake.folder) as alone:
        if not alone:
            raise CannotStart("the lake is being brought up to date; next: try again when that has ended")
        try:
            lake.clear()
        except OSError as fault:
            raise CannotStart(f"{lake.folder}: {fault}; next: look at it, remove it by hand") from None
    if as_json:
        print(json.dumps({"folder": str(lake.folder), "emptied": True}))
        return 0
    print("The lake is empty; next: POST /api/v1/analytics/run, or wait for ANALYTICS_CRON.")
    return 0


def share(folder: str, *, forms: Sequence[str], without: Sequence[str], link: bool, as_json: bool) -> int:
    """Put a copy there."""
    target = Path(folder).absolute()
    try:
        done = sharing.share(
            Lake(Paths(settings.load().data).lake), target, sharing.Asked(forms, without, link)
        )
    except sharing.Refused as fault:
        raise CannotStart(f"nothing was shared: {fault}") from None
    except OSError as fault:
        raise CannotStart(f"nothing was shared: {fault}; next: name a folder that may be written") from None
    if as_json:
        told = {"responses": done.responses, "files": done.files, "bytes": done.bytes}
        print(json.dumps({"folder": str(target), **told}, indent=2))
        return 0
    print(f"{done.responses} responses in {done.files} files, {done.bytes / 1e6:.1f} MB: {target}")
    print("README.md there says how to read them.")
    return 0
