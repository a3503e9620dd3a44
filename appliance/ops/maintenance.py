"""`appliance maintenance on|off`: nginx answers 503 and a page while the file run/maintenance exists."""

from __future__ import annotations

from appliance import settings
from appliance.addresses import Paths
from appliance.errors import CannotStart


def run(*, on: bool) -> int:
    """Takes effect with the next request. Raises CannotStart when the data folder cannot be written."""
    mark = Paths(settings.load().data).maintenance
    try:
        if on:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)
    except OSError as fault:
        raise CannotStart(
            f"{mark}: {fault.strerror}; the appliance's user may, once ./scripts/up has run"
        ) from None
    print("maintenance is on: `appliance maintenance off` ends it" if on else "maintenance is off")
    return 0
