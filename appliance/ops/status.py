"""`appliance status`: is it up, what runs, where are the doors, what does it stand on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance import __version__, plan, trees
from appliance.addresses import Paths
from appliance.clock import rfc3339
from appliance.errors import CannotStart, SettingError
from appliance.ops import budget_table, firing, front, instance, maintenance, pending, supervisor
from appliance.ops.supervisor import NotRunning, Program
from appliance.ops.table import duration, print_table, size
from appliance.plan import Plan
from appliance.runtime import door, place
from appliance.runtime.programs import stays_off
from appliance.services import ai_models, backups, certificates
from appliance.settings import Settings
from appliance.stores import programs as stores
from appliance.tls import sources, trust

ROOT_ADVICE = "next: set APPLIANCE_USER (docs/operating.md), or run the systemd unit"
_NEXT = "next: ./scripts/appliance doctor"
TRIAL = "trial: SecantusDB is young; for data that matters set MONGODB_URI or install mongod"


def run(*, as_json: bool) -> int:
    """0 when every program runs and /readyz says 200, else 1. Raises SettingError."""
    chosen = instance.load()
    place.check_readable(chosen.data)
    report = collect(chosen)
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        _print(report)
    return 0 if report["up"] else 1


def collect(here: Settings) -> dict[str, Any]:
    """The whole state as JSON-able values. What runs was not always started with the settings `here`."""
    chosen = instance.find_settings(here)
    paths = Paths(chosen.data)
    report: dict[str, Any] = {
        "up": False,
        "version": __version__,
        "maintenance": paths.maintenance.exists(),
        "closed": maintenance.tell(paths),
        **_settings(chosen, here),
        "data": str(chosen.data),
        "doors": doors(chosen),
        "certificate": describe_certificate(chosen),
        "database": describe_database(chosen),
        "ai": asdict(ai_models.condition(chosen)),
        "backups": backups.tell(chosen),
        "alerts": firing.now(chosen) if chosen.monitoring else None,
        "monitoring": chosen.monitoring,
    }
    try:
        programs = supervisor.ask(paths)
    except NotRunning as fault:
        return {**report, "budget": None, "programs": [], "ready": None, "problem": str(fault)}
    ready, found = front.ask(chosen), plan.find(paths)
    return {
        **report,
        "up": ready.is_ready and all(is_well(program, chosen) for program in programs),
        "budget": budget_table.describe(found),
        "programs": [_describe(found, program) for program in programs],
        "ready": {"http_status": ready.status, **ready.body},
        "problem": ready.fault,
    }


def _settings(chosen: Settings, here: Settings) -> dict[str, Any]:
    """`pending`: changed since, and waiting; `differences`: what this terminal alone has otherwise."""
    try:
        waiting = pending.find(Paths(chosen.data))
    except SettingError:  # told by whoever loaded the settings
        waiting = []
    names = {each.name for each in waiting}
    told = instance.differences(chosen, here)
    return {
        "pending": [each._asdict() for each in waiting],
        "differences": [each for each in told if each.partition(" ")[0] not in names],
    }


def is_well(program: Program, chosen: Settings) -> bool:
    """Running, or rightly not: what the settings have switched off."""
    return program.is_running or is_replaced(program, chosen)


def is_replaced(program: Program, chosen: Settings) -> bool:
    return stays_off(program.name, chosen) is not None


def doors(chosen: Settings) -> list[str]:
    """URLs that nginx listens on."""
    hosts = [f"[{address}]" if ":" in address else address for address in chosen.bind]
    http = [f"http://{host}:{chosen.http_port}" for host in hosts]
    return http + [f"https://{host}:{chosen.https_port}" for host in hosts]


def describe_certificate(chosen: Settings) -> dict[str, Any] | None:
    """What HTTPS is served with; None before the first start."""
    paths = Paths(chosen.data)
    served = sources.read(paths)
    if served is None:
        return None
    return {
        "kind": served.kind,
        "names": served.pair.names,
        "expires_at": rfc3339(served.pair.ends),
        "untrusted": trust.find_doubt(paths.served),
        "fault": certificates.find_fault(chosen),
    }


def describe_database(chosen: Settings) -> dict[str, str]:
    """`kind` is outside, mongod, secantusdb or missing; `note` is there when there is something to know."""
    from appliance.runtime import mongo

    if chosen.mongodb_uri:
        return {"kind": "outside", "note": "MONGODB_URI"}
    try:
        kind, _ = mongo.server(chosen)
    except CannotStart as fault:
        return {"kind": "missing", "note": str(fault)}
    return {"kind": kind, "note": TRIAL} if kind == "secantusdb" else {"kind": kind}


def _describe(found: Plan | None, program: Program) -> dict[str, Any]:
    name, pid = program.name, program.pid
    asked, given = stores.asked(found, name), stores.given(found, name, pid)
    return {
        **asdict(program),
        **asdict(stores.use(found, name, pid)),
        "asked": asdict(asked) if asked else None,
        "given": asdict(given) if given else None,
        "user": trees.find_user(pid) if pid else None,
    }


def _print(report: dict[str, Any]) -> None:
    database = report["database"]
    print(f"appliance {report['version']}: {_verdict(report)}")
    _print_differences(report)
    print(f"data      {report['data']}")
    print(f"doors     {'  '.join(report['doors'])}")
    print(f"TLS       {_certificate(report['certificate'])}")
    print(f"database  {database['kind']}" + (f" ({database['note']})" if "note" in database else ""))
    print(f"AI        {_ai(report['ai'])}")
    print(f"backups   {_backups(report['backups'])}")
    if report["monitoring"]:
        print(f"alerts    {firing.in_one_line(report['alerts'])}")
    if report["ready"] is not None:
        print(f"ready     {_readiness(report['ready'])}")
    if report["programs"]:
        print()
        _print_programs(report["programs"])
        budget_table.show(report["budget"], report["programs"])
    if any(row["user"] == "root" for row in report["programs"]):
        print(f"\nit runs as root; {ROOT_ADVICE}")
    if problem := report["problem"]:
        print(f"\n{problem}" + ("" if "; next: " in problem else f"; {_NEXT}"))
    elif not report["up"]:
        print(f"\n{_NEXT}")


def _verdict(report: dict[str, Any]) -> str:
    """In the words of what was done: one who has stopped a program looks for no fault."""
    if report["up"]:
        return "up"
    left = [row["name"] for row in report["programs"] if supervisor.is_stopped_by_hand(row["detail"])]
    if not left:
        return "NOT UP"
    were = "was" if len(left) == 1 else "were"
    return f"NOT UP: {', '.join(left)} {were} {supervisor.BY_HAND}; next: {supervisor.start_command(*left)}"


def _print_differences(report: dict[str, Any]) -> None:
    """From what it is to be."""
    if said := maintenance.describe(door.find(Paths(Path(report["data"]))), report["closed"]["drained"]):
        print("; ".join(said))
    for line in pending.lines([pending.Pending(**each) for each in report["pending"]]):
        print(line)
    for difference in report["differences"]:
        print(f"it runs with {difference}; {instance.ADVICE}")


def _print_programs(programs: list[dict[str, Any]]) -> None:
    print_table(
        ("PROGRAM", "STATE", "PID", "UPTIME", "RESTARTS", "MEMORY", "USER", ""),
        [
            (
                row["name"],
                row["state"],
                str(row["pid"] or "-"),
                "-" if row["uptime"] is None else duration(row["uptime"]),
                str(row["restarts"]),
                "-" if row["memory"] is None else size(row["memory"]),
                row["user"] or "-",
                row["detail"],
            )
            for row in programs
        ],
    )


def _certificate(found: dict[str, Any] | None) -> str:
    if found is None:
        return "no certificate yet"
    names, doubt, fault = ", ".join(found["names"]), found["untrusted"], found["fault"]
    told = f"{found['kind']}, until {found['expires_at'][:10]}, for {names}"
    told += f"; not trusted here: {doubt}" if doubt and found["kind"] != "self-signed" else ""
    return told + (f"; FAULT: {fault}" if fault else "")


def _ai(ai: dict[str, Any]) -> str:
    if ai["kind"] == "ready":
        return f"ready; {ai['chat']} answers, {ai['embedding']} makes vectors"
    return f"{ai['kind']}: {ai['detail']}"


def _backups(told: dict[str, Any]) -> str:
    """`the last of 2026-11-28T03:30:00.000Z, 12 MiB; tried out 2026-11-22T04:30:00.000Z`."""
    made, drilled = told["backup"], told["drill"]
    words = (
        f"the last of {made['succeeded_at']}, {size(made['bytes'])}" if made["succeeded_at"] else "none yet"
    )
    words += f"; tried out {drilled['succeeded_at']}" if drilled["succeeded_at"] else "; never tried out"
    failed = [kind for kind in ("backup", "drill") if told[kind]["failures"]]
    return words + "".join(f"; the last {kind} FAILED" for kind in failed)


def _readiness(ready: dict[str, Any]) -> str:
    """`ready; mongodb up 1.2 ms, redis up 0.3 ms`."""
    rows = ready.get("dependencies")
    parts = [_dependency(name, row) for name, row in rows.items()] if isinstance(rows, dict) else []
    state = ready.get("status") or ready["http_status"] or "no answer"
    return f"{state}; {', '.join(parts)}" if parts else str(state)


def _dependency(name: str, row: Any) -> str:
    if not isinstance(row, dict):
        return f"{name} {row}"
    latency = row.get("latency")
    return f"{name} {row.get('status', '?')}" + (f" {latency * 1000:.1f} ms" if latency is not None else "")
