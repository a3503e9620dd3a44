"""`appliance maintenance on|off`: nginx answers 503 and a page while the file run/maintenance exists."""

from __future__ import annotations

import json

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart
from appliance.runtime import place


def run(*, on: bool, as_json: bool) -> int:
    """Takes effect with the next request. Raises CannotStart when the data folder cannot be written."""
    data = settings.find_data()
    place.check_readable(data)
    mark = Paths(data).maintenance
    try:
        if on:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    except OSError as fault:
        raise CannotStart(
            f"{mark}: {fault.strerror}; the appliance's user may, once ./scripts/up has run"
        ) from None
    if as_json:
        print(json.dumps({"maintenance": on}))
        return 0
    print(
        "maintenance is on; next: ./scripts/appliance maintenance off, which ends it"
        if on
        else "maintenance is off"
    )
    return 0
