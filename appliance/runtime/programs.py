"""The supervised programs, and what the supervisor's configuration must know of this host."""

from __future__ import annotations

import os
import re
import sys
from signal import SIGINT, SIGQUIT, SIGTERM, Signals

from appliance import plan
from appliance.addresses import GUARDIAN, Paths
from appliance.errors import CannotStart
from appliance.plan import Budget
from appliance.runtime import allowance, monitoring
from appliance.settings import HOME, Settings

# How each is asked to stop: by supervisord (supervisord.conf says the same), and by the kernel when
# supervisord died: redis and mongo flush, nginx and the API answer what is in flight.
STOP_SIGNALS: dict[str, Signals] = {
    "redis": SIGTERM,
    "mongo": SIGTERM,
    "worker-high": SIGINT,
    "worker-default": SIGINT,
    "worker-ai": SIGINT,
    "scheduler": SIGINT,
    "api": SIGTERM,
    "nginx": SIGQUIT,
    **dict.fromkeys(monitoring.PROGRAMS, SIGTERM),
    GUARDIAN: SIGTERM,
}


def kind(name: str) -> str:
    """The row of the table for a program's name: `api-2` is an `api`. Raises CannotStart."""
    found = "api" if re.fullmatch(r"api-[1-9]\d*", name) else name
    if found not in STOP_SIGNALS or name == "api":
        known = ", ".join("api-N" if each == "api" else each for each in STOP_SIGNALS)
        raise CannotStart(f"there is no program {name!r}; there are {known}")
    return found


def stays_off(name: str, settings: Settings) -> str | None:
    """The setting by which a program is not needed; None when it is."""
    if name == "mongo" and settings.mongodb_uri:
        return "MONGODB_URI is set"
    if name == "redis" and settings.redis_uri:
        return "REDIS_URL is set"
    if name in monitoring.PROGRAMS and not settings.monitoring:
        return "APPLIANCE_MONITORING is off"
    return None


def budget_of(settings: Settings) -> Budget:
    """The budget of what runs; before anything does, the one that would hold."""
    found = plan.find(Paths(settings.data))
    return found.budget if found else allowance.find_budget(settings)


def api_count(settings: Settings) -> int:
    return budget_of(settings).share("api").processes


def runs_as_root() -> bool:
    return os.geteuid() == 0


def supervisor_environment(settings: Settings) -> dict[str, str]:
    """What supervisord.conf expands; supervisorctl reads the same file and needs the same.

    APPLIANCE_DATA is there because programs start in another folder than the operator did.
    """
    paths = Paths(settings.data)
    switched = {}
    for variable, program in (("MONGO", "mongo"), ("REDIS", "redis"), ("MONITORING", "prometheus")):
        runs = stays_off(program, settings) is None
        switched[f"SUPERVISED_{variable}"] = str(runs).lower()
        # One that is switched off and started by hand says so and exits at once: not a failure.
        switched[f"SUPERVISED_{variable}_SECONDS"] = "1" if runs else "0"
    return {
        "APPLIANCE_DATA": str(paths.data),
        "SUPERVISED_PYTHON": sys.executable,
        "SUPERVISED_HOME": str(HOME),
        "SUPERVISED_RUN": str(paths.run),
        "SUPERVISED_LOGS": str(paths.logs),
        "SUPERVISED_API_COUNT": str(api_count(settings)),
        **switched,
    }
