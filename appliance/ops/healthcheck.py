"""`appliance healthcheck`: one line and a status, for who asks again and again: a container engine."""

from __future__ import annotations

import json
from collections.abc import Iterator

from appliance.addresses import Paths
from appliance.ops import front, instance, status, supervisor
from appliance.ops.supervisor import NotRunning
from appliance.settings import Settings


def run(*, as_json: bool) -> int:
    """0 when every program runs and both doors answer, else 1. Raises SettingError."""
    chosen = instance.find_settings(instance.load())
    faults = list(find_faults(chosen))
    if as_json:
        print(json.dumps({"well": not faults, "faults": faults}))
    else:
        print("; ".join(faults) or "every program runs, both doors answer")
    return 1 if faults else 0


def find_faults(chosen: Settings) -> Iterator[str]:
    try:
        programs = supervisor.ask(Paths(chosen.data))
    except NotRunning as fault:
        yield str(fault)
        return
    for program in programs:
        if not status.is_well(program, chosen):
            state = "" if supervisor.is_stopped_by_hand(program.detail) else f"{program.state} "
            yield f"{program.name} {state}{program.detail}".rstrip()
    for told in (front.ask(chosen).fault, front.find_tls_fault(chosen)):
        if told:
            yield told
