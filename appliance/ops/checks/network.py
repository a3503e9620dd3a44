"""Which doors are open."""

from __future__ import annotations

from collections.abc import Iterator

from appliance import trees
from appliance.ops.findings import Fault, Situation, check


@check("listeners", "only nginx listens to other machines", needs_running=True)
def listeners(situation: Situation) -> Iterator[Fault]:
    """Everything behind nginx trusts whoever reaches it more than it should trust the network."""
    doors = {situation.settings.http_port, situation.settings.https_port}
    for program in situation.programs or []:
        for listener in trees.listeners(trees.members(program.pid) if program.pid else []):
            allowed = program.name == "nginx" and listener.port in doors
            if listener.is_outside and not allowed:
                place = f"{listener.address} port {listener.port}"
                yield (
                    "error",
                    f"{program.name} (process {listener.pid}) listens on {place}: others reach it",
                    "APPLIANCE_BIND is for nginx alone: stop the appliance, and report this",
                )
