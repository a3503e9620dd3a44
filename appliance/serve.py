"""What Granian loads in its worker: the application, and an end to it before it is there.

The worker is forked with its parent's handlers, which mean nothing in it, and gets its own when the
application is loaded; a SIGTERM in that second would be lost, and Granian waits 20 s before it kills.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litestar.types import ASGIApp


def create_app() -> ASGIApp:
    """As `app.create_app`. Until Granian takes the signals over, each of them ends the process at once."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    from appliance import app  # the second that this is about

    return app.create_app()
