"""`python -m appliance.runtime.guardian`: supervisord's event listener."""

from __future__ import annotations

import sys

from appliance import cgroup_files, known_secrets, logs, plan, settings
from appliance.addresses import Paths
from appliance.runtime.guardian.guard import Guard


def main() -> None:
    """Raises SettingError."""
    asked = settings.load()
    logs.configure(asked.log_level, stream=sys.stderr)  # stdout speaks with supervisord
    logs.hide(known_secrets.finder(asked))
    found = plan.find(Paths(asked.data))

    def oom_kills(program: str) -> int | None:
        folder = found.folder_of("memory", program) if found else None
        return cgroup_files.find_oom_kills(folder) if folder else None

    Guard(asked, oom_kills).run()


if __name__ == "__main__":
    main()
