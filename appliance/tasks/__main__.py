"""`python -m appliance.tasks NAME`: a worker pool or the scheduler, in the foreground."""

from __future__ import annotations

import sys

from appliance import logs, settings
from appliance.tasks import scheduler, worker


def main(name: str) -> None:
    """Raises SettingError; exits with 2 for a name there is not."""
    asked = settings.load()
    logs.configure(asked.log_level)
    if name == "scheduler":
        scheduler.run(asked)
    elif name in worker.QUEUES_OF:
        worker.consume(name, asked)
    else:
        sys.exit(f"appliance.tasks: {name!r} is none of scheduler, {', '.join(worker.QUEUES_OF)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) == 2 else "")
