"""What runs, what should run, and what runs though it should not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from appliance import llama_install, plan, trees
from appliance.ops import draining, instance, service
from appliance.ops.findings import Fault, Situation, check
from appliance.ops.status import is_replaced
from appliance.ops.supervisor import restart_command, start_command
from appliance.runtime import door
from appliance.services import ai_models
from appliance.stores import programs as stores

MANY_RESTARTS = 3


@check("supervisor", "the supervisor answers")
def supervised(situation: Situation) -> Iterator[Fault]:
    if situation.programs is None:
        dotenv = situation.dotenv
        hint = service.start_command() + "".join(
            f"; or, as it runs on {other}, put APPLIANCE_DATA={shlex.quote(str(other))} into {dotenv}"
            for other in instance.find_elsewhere(situation.paths.data)
        )
        yield (
            "error",
            f"the appliance is not running on {situation.paths.data}",
            hint,
        )


@check("running-settings", "what runs was started with the settings that hold here", needs_running=True)
def running_settings(situation: Situation) -> Iterator[Fault]:
    """What came by the environment of `up` is unknown to other terminals."""
    for difference in instance.differences(situation.settings, situation.here):
        yield (
            "warning",
            f"it runs with {difference}",
            f"{instance.ADVICE}: put it there; then ./scripts/appliance reload, or a restart",
        )


@check("maintenance", "maintenance is off")
def maintenance(situation: Situation) -> Iterator[Fault]:
    closed, drained = door.find(situation.paths), draining.paused(situation.paths)
    if closed is not None:
        over = f"; it was to end at {closed.until}" if closed.is_overdue(situation.now()) else ""
        tasks = f", and {', '.join(drained)} begin no task" if drained else ""
        yield (
            "warning",
            f"maintenance is on: everybody is answered 503 and a page{tasks}{over}",
            "./scripts/appliance maintenance off",
        )
    elif drained:
        yield (
            "warning",
            f"{', '.join(drained)} begin no task: a drain has paused them, and its end was broken off",
            "./scripts/appliance maintenance off",
        )


@check("ai", "language models can be used, or were never asked for")
def ai(situation: Situation) -> Iterator[Fault]:
    found = ai_models.condition(situation.settings)
    if found.kind == "off" and llama_install.was_begun():
        meaning, _, after = found.detail.partition("; next: ")
        yield "warning", f"AI is off: {meaning}", after or "./scripts/appliance model list"


@check("programs", "every program runs", needs_running=True)
def programs(situation: Situation) -> Iterator[Fault]:
    for program in situation.programs or []:
        name, state = program.name, program.state
        if program.is_running or is_replaced(program, situation.settings):
            continue
        if program.silent is not None:
            yield (
                "error",
                f"{name} has not looked for {program.silent} s, so nothing that ends is started again",
                restart_command(name),
            )
        elif state in ("STARTING", "STOPPING"):
            yield "warning", f"{name} is {state.lower()}", "look again in some seconds"
        elif state == "STOPPED":
            yield (
                "warning",
                f"{name} was stopped by hand",
                start_command(name),
            )
        else:
            yield (
                "error",
                f"{name} is down ({state.lower()}: {program.detail})",
                f"./scripts/appliance logs {name}",
            )


@check("restarts", "no program keeps ending", needs_running=True)
def restarts(situation: Situation) -> Iterator[Fault]:
    for program in situation.programs or []:
        if program.restarts > MANY_RESTARTS:
            yield (
                "warning",
                f"{program.name} ended by itself and was started again {program.restarts} times",
                f"./scripts/appliance logs {program.name}",
            )


@check("user", "nothing runs as root", needs_running=True)
def user(situation: Situation) -> Iterator[Fault]:
    rows = situation.programs or []
    if any(program.pid and trees.find_user(program.pid) == "root" for program in rows):
        yield (
            "warning",
            "every program runs as root: a fault in one is a fault of the machine",
            "useradd --system appliance, put APPLIANCE_USER=appliance into .env, restart; or run the unit",
        )


@check("budget", "the kernel holds every program to its part of the machine", needs_running=True)
def budget(situation: Situation) -> Iterator[Fault]:
    found = plan.find(situation.paths)
    for control, reason in found.degraded.items() if found else ():
        yield (
            "warning",
            f"nothing is held to its part of {control}: {reason}",
            "docs/operating.md, 'The budget'",
        )
    for program in situation.programs or []:
        if killed := stores.use(found, program.name, None).oom_kills:
            yield (
                "warning",
                f"the kernel killed {killed} processes of {program.name}, which had no memory left",
                f"./scripts/appliance logs {program.name}; more APPLIANCE_MEMORY, where the machine has it",
            )
        asked, given = stores.asked(found, program.name), stores.given(found, program.name, program.pid)
        if asked and given and asked.cores != given.cores:
            yield (
                "warning",
                f"{program.name} was to run on cores {asked.cores}, and runs on {given.cores}",
                f"./scripts/appliance logs {program.name}",
            )


@check("readiness", "requests are served and every dependency answers", needs_running=True)
def readiness(situation: Situation) -> Iterator[Fault]:
    ready = situation.readiness
    if not ready.is_ready:
        yield "error", ready.fault or "not ready", "./scripts/appliance status"
    elif ready.body.get("status") == "degraded":
        yield "warning", "it serves, but not all that it depends on answers", "./scripts/appliance status"


@check("leftovers", "no process of an earlier run is left")
def leftovers(situation: Situation) -> Iterator[Fault]:
    from appliance.runtime import records

    if situation.programs is not None:
        return
    paths = situation.paths
    left = sorted(pid for record in records.read_all(paths) for pid in records.find_members(paths, record))
    if left:
        pids = ", ".join(map(str, left))
        yield (
            "warning",
            f"processes of an earlier run are left: {pids}",
            "./scripts/up, which ends them first",
        )
