"""What `appliance support` looks at: each part by itself, so that one that fails takes no other with it.

What a part gives is masked afterwards (`support_mask`); what it must not have, it leaves out itself: answers,
arguments of tasks, names of accounts, values of secrets.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import pymongo

from appliance import __version__, addresses, alertmanager, disk, plan, settings
from appliance.addresses import DATABASE, Paths
from appliance.clock import rfc3339
from appliance.errors import CannotStart, SettingError, with_mend
from appliance.ops import budget_table, config, doctor, inside, pending, queues, status, support_logs
from appliance.runtime import mongo
from appliance.settings import HOME, Settings
from appliance.stores import applied

LOG_BYTES: Final = 512 * 1024
"""Of each program, the last part."""
_DATABASE_SECONDS: Final = 5.0
_LETTERS: Final = 200


class Here(NamedTuple):
    """What the parts look at: as far as the settings can be used, else with the defaults."""

    settings: Settings
    since: dt.datetime

    @property
    def paths(self) -> Paths:
        return Paths(self.settings.data)


Files = dict[str, str]
Part = Callable[[Here], Files]
PARTS: dict[str, Part] = {}


def part(name: str) -> Callable[[Part], Part]:
    def register(look: Part) -> Part:
        PARTS[name] = look
        return look

    return register


def as_json(value: Any) -> str:
    return json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n"


@part("status")
def _status(here: Here) -> Files:
    return {"status.json": as_json(status.collect(here.settings))}


@part("doctor")
def _doctor(_: Here) -> Files:
    return {"doctor.json": as_json([asdict(finding) for finding in doctor.examine()])}


@part("config")
def _config(here: Here) -> Files:
    """Where they cannot be used: why, and the names that `.env` has."""
    try:
        rows = [row._asdict() for row in config.describe(settings.resolve())]
        for row in rows:
            if row["name"] == "SECRETS_COMMAND" and row["asked"]:  # it may hold what opens the vault
                row |= {"asked": "(set)", "effective": "(set)"}
        told: dict[str, Any] = {"settings": rows}
    except SettingError as fault:
        told = {"fault": with_mend(fault), "names_in_dotenv": _names(settings.find_dotenv(os.environ))}
    try:
        told["pending"] = [each._asdict() for each in pending.find(here.paths)]
    except SettingError as fault:
        told["pending"] = with_mend(fault)
    return {"config.json": as_json(told)}


def _names(dotenv: Path) -> list[str]:
    known = {row.name for row in settings.rows().values()}
    try:
        found = re.findall(r"^\s*([A-Z][A-Z0-9_]*)\s*=", dotenv.read_text(errors="replace"), re.MULTILINE)
    except OSError:
        return []
    return [name for name in found if name.removesuffix("_FILE") in known]


@part("versions")
def _versions(here: Here) -> Files:
    told = {
        "appliance": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "distribution": _distribution(),
        "programs": {name: _version(name, flag) for name, flag in _PROGRAMS.items()},
        "database": _database_version(here.settings),
        "packages": sorted(
            f"{each.metadata['Name']} v{each.version}" for each in importlib.metadata.distributions()
        ),
        "packages_of_the_database": _packages_of(HOME / ".venv-mongo"),
        "packages_of_models": _packages_of(HOME / ".venv-ai"),
    }
    return {"versions.json": as_json(told)}


_PROGRAMS: Final = {
    "nginx": "-v", "redis-server": "--version", "mongod": "--version", "prometheus": "--version",
    "prometheus-alertmanager": "--version", "prometheus-node-exporter": "--version", "systemctl": "--version",
}  # fmt: skip


def _version(name: str, flag: str) -> str | None:
    """The first line that it says."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin")
    if path is None:
        return None
    told = subprocess.run([path, flag], capture_output=True, text=True, timeout=5, check=False)
    return next(iter((told.stdout + told.stderr).strip().splitlines()), "")


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _database_version(chosen: Settings) -> str:
    if chosen.mongodb_uri is not None:
        return "outside; its version is in database.json"
    try:
        kind, _ = mongo.server(chosen)
    except CannotStart as fault:
        return str(fault)
    return kind


def _packages_of(folder: Path) -> list[str]:
    return sorted(
        path.name.removesuffix(".dist-info").replace("-", " v")
        for path in folder.glob("lib/*/site-packages/*.dist-info")
    )


@part("budget")
def _budget(here: Here) -> Files:
    found = plan.find(here.paths)
    shares = [asdict(share) for share in found.budget.shares] if found else []
    cgroup = Path("/proc/self/cgroup").read_text().splitlines()
    told = {"budget": budget_table.describe(found), "shares": shares, "cgroup_of_this_command": cgroup}
    return {"budget.json": as_json(told)}


@part("machine")
def _machine(here: Here) -> Files:
    memory = dict(
        line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines() if ":" in line
    )
    stat = os.statvfs(here.settings.data if here.settings.data.exists() else "/")
    told = {
        "cpus": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "uptime_seconds": float(Path("/proc/uptime").read_text().split()[0]),
        "memory": {name: value.strip() for name, value in memory.items()},
        "disk": {
            "free_bytes": stat.f_bavail * stat.f_frsize,
            "bytes": stat.f_blocks * stat.f_frsize,
            "free_inodes": stat.f_favail,
            "inodes": stat.f_files,
            "is_mount": disk.is_mount(here.settings.data),
        },
        "open_files": Path("/proc/sys/fs/file-nr").read_text().split(),
    }
    return {"machine.json": as_json(told)}


@part("folders")
def _folders(here: Here) -> Files:
    """How much lies where: names of folders only."""
    told = {name: _sum(here.settings.data / name) for name in dict.fromkeys(settings.FOLDERS)}
    return {"folders.json": as_json(told)}


def _sum(folder: Path) -> dict[str, int] | None:
    if not folder.is_dir():
        return None
    count = size = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                size, count = size + (Path(root) / name).lstat().st_size, count + 1
            except OSError:
                continue
    return {"files": count, "bytes": size}


@part("queues")
def _queues(_: Here) -> Files:
    """Depths; of dead letters neither arguments nor what an error says, only its kind."""
    found, later, letters = inside.run(queues.look)
    told = {
        "queues": msgspec.to_builtins(found),
        "due_later": later,
        "dead_letters": len(letters),
    }
    rows = [
        {
            "task_id": each.task_id, "task": each.name, "queue": each.queue, "status": each.status,
            "replays": each.replays, "tries": len(each.attempts), "created_at": each.created_at,
            "failed_at": each.failed_at, "error": support_logs.kind(each.error),
        }
        for each in letters[:_LETTERS]
    ]  # fmt: skip
    return {"queues.json": as_json(told), "dead_letters.json": as_json(rows)}


@part("database")
def _database(here: Here) -> Files:
    """How much there is of what, by which indexes, and what was migrated."""
    uri = addresses.mongodb_uri(here.settings)
    milliseconds = int(_DATABASE_SECONDS * 1000)
    with pymongo.MongoClient[dict[str, Any]](uri, appname="support", timeoutMS=milliseconds) as client:
        db = client.get_default_database(DATABASE)
        names = sorted(db.list_collection_names())
        collections = {
            name: {
                "documents": db[name].estimated_document_count(),
                "indexes": {index: row["key"] for index, row in db[name].index_information().items()},
            }
            for name in names
        }
        level = db[applied.COLLECTION].find_one({"_id": "level"}) or {}
        migrated = [f"{step['number']} {step['name']}" for step in level.get("applied", ())]
        version = client.server_info().get("version")
    told = {"version": version, "collections": collections, "migrations": migrated}
    return {"database.json": as_json(told)}


@part("logs")
def _logs(here: Here) -> Files:
    tails = support_logs.last(here.paths.logs, here.since.timestamp(), LOG_BYTES)
    return {f"logs/{name}.log": tail.text() for name, tail in sorted(tails.items())}


@part("configuration")
def _configuration(here: Here) -> Files:
    """supervisord's own, and what nginx was given."""
    files = {"supervisord.conf": HOME / "supervisord.conf", "nginx.conf": here.paths.run / "nginx.conf"}
    return {name: path.read_text(errors="replace") for name, path in files.items() if path.is_file()}


@part("alerts")
def _alerts(here: Here) -> Files:
    """What Prometheus and Alertmanager hold for wrong now, by their own words."""
    if not here.settings.monitoring:
        return {}
    fired = _ask(here.settings, "prometheus", "/api/v1/alerts")["data"]["alerts"]
    told = {
        "prometheus": [
            {"labels": each.get("labels"), "state": each.get("state"), "since": each.get("activeAt")}
            for each in fired
        ],
        "alertmanager": [
            {"labels": each.labels, "state": each.status.state, "since": rfc3339(each.startsAt)}
            for each in alertmanager.alerts(here.settings)
        ],
    }
    return {"alerts.json": as_json(told)}


def _ask(chosen: Settings, program: str, path: str) -> Any:
    url = f"http://127.0.0.1:{addresses.inner_port(chosen, program)}{path}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5) as answer:
        return json.loads(answer.read(2**20))


@part("about")
def _about(here: Here) -> Files:
    about = {"since": rfc3339(here.since), "user": os.geteuid(), "revision": _revision()}
    return {"about.json": as_json(about)}


def _revision() -> str | None:
    """Of the checkout, where it is one."""
    if not (HOME / ".git").exists() or not (git := shutil.which("git")):
        return None
    call = [git, "-C", str(HOME), "rev-parse", "--short", "HEAD"]
    told = subprocess.run(call, capture_output=True, text=True, timeout=5, check=False)
    return told.stdout.strip() or None
