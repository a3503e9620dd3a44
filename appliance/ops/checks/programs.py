"""What runs, what should run, and what runs though it should not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from appliance import courses, llama_install, plan, processes, trees
from appliance.ops import draining, instance, service
from appliance.ops.findings import Fault, Situation, check
from appliance.ops.status import is_replaced
from appliance.ops.supervisor import is_stopped_by_hand, restart_command, start_command
from appliance.runtime import door, monitoring
from appliance.runtime.guardian import probes
from appliance.services import ai_models
from appliance.stores import programs as stores

MANY_RESTARTS = 3
FULL_PART = 0.8
"""Of the files that a process may have open: from then on connections are soon refused."""


@check("supervisor", "the supervisor answers")
def supervised(situation: Situation) -> Iterator[Fault]:
    if situation.programs is None:
        hint = service.start_command() + "".join(
            f"; or, as it runs on {other}, {instance.name_folder(other, situation.dotenv, situation.environ)}"
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
        elif state == "STOPPED" or is_stopped_by_hand(program.detail):
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
    """By whoever started it, and nothing fails by it."""
    rows = situation.programs or []
    if any(program.pid and trees.find_user(program.pid) == "root" for program in rows):
        yield (
            "ok",
            "every program runs as root: a fault in one is a fault of the machine",
            (
                "useradd --system appliance, APPLIANCE_USER=appliance in .env, a restart"
                " (docs/operating.md#the-user); or scripts/install (docs/systemd.md)"
            ),
        )


@check("budget", "the kernel holds every program to its part of the machine", needs_running=True)
def budget(situation: Situation) -> Iterator[Fault]:
    """Which controls can be had is the machine's; that one was overstepped, a program's."""
    found = plan.find(situation.paths)
    if found and found.degraded:
        whys = "; ".join(found.reasons())
        yield (
            "ok",
            f"nothing is held to its part of {_listed(found.degraded)}: {whys}",
            (
                "start it by the unit (docs/systemd.md), as root, or, with cgroups of version 2, by:"
                " systemd-run --user --scope -p Delegate=yes ./scripts/up;"
                " a container is held as a whole (docs/operating.md#the-budget)"
            ),
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


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


@check("answers", "every program that runs answers", needs_running=True)
def answers(situation: Situation) -> Iterator[Fault]:
    """As the guardian asks them, now. Of the database `readiness` tells, and of those that listen nowhere the
    guardian, which knows when they showed life last."""
    kept = courses.read(situation.paths)
    for program in situation.programs or []:
        if not program.is_running or program.pid is None or probes.is_launching(program.pid):
            continue
        name = program.name
        if probes.is_stopped(program.pid):
            told = "is stopped (SIGSTOP) and does nothing"
        elif name == "nginx" or name.startswith("api-") or name == "redis" or name in monitoring.PROGRAMS:
            if probes.of_program(name, situation.settings)() is not False:
                continue
            told = "runs and does not answer"
        elif (course := kept.courses.get(name)) is not None and course.answers is False:
            told = "runs and shows no life"
        else:
            continue
        yield (
            "error",
            f"{name} (process {program.pid}) {told}",
            f"the guardian ends it within a minute; at once: {restart_command(name)}",
        )


@check("guardian", "what the guardian keeps of the programs can be read", needs_running=True)
def guardian(situation: Situation) -> Iterator[Fault]:
    damaged = [path.name for path in courses.files(situation.paths) if courses.is_damaged(path)]
    if damaged:
        both = len(damaged) == len(courses.files(situation.paths))
        lost = "how often each program was started is forgotten" if both else "the other copy is used"
        yield (
            "warning",
            f"{' and '.join(damaged)} in {situation.paths.run} cannot be read: {lost}",
            f"{restart_command('guardian')}, which puts it aside and writes another",
        )


@check("descriptors", "no program is short of open files", needs_running=True)
def descriptors(situation: Situation) -> Iterator[Fault]:
    for program in situation.programs or []:
        for pid in trees.members(program.pid) if program.pid else []:
            found = processes.open_files(pid)
            if found and found.limit and found.number > FULL_PART * found.limit:
                yield (
                    "warning",
                    f"{program.name} (process {pid}) has {found.number} of {found.limit} files open",
                    f"{restart_command(program.name)}; then see ./scripts/appliance logs {program.name}",
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
