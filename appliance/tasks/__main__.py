"""`python -m appliance.tasks NAME COUNT`: a pool of so many workers, or the scheduler; or `alerts`, once."""

from __future__ import annotations

import sys

from appliance import known_secrets, logs, settings
from appliance.tasks import alerts, scheduler, worker


def main(name: str, count: int) -> None:
    """Raises SettingError; exits with 2 for a name there is not."""
    asked = settings.load()
    logs.configure(asked.log_level)
    logs.hide(known_secrets.finder(asked))
    if name == "scheduler":
        scheduler.run(asked)
    elif name == "alerts":
        sys.exit(alerts.run(asked))
    elif name in worker.QUEUES_OF:
        worker.consume(name, asked, count)
    else:
        sys.exit(f"appliance.tasks: {name!r} is none of alerts, scheduler, {', '.join(worker.QUEUES_OF)}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "", int(sys.argv[2]) if len(sys.argv) > 2 else 1)
