"""What judges the service inside the machine that scripts/vm makes: a line a fact, `ok …` or `FAIL …`.

It is started by systemd, as root, with Debian's python3 and nothing else; the appliance lies where
scripts/install has put it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HOME = Path("/opt/appliance")
DATA = Path("/var/lib/appliance")
CONFIG = Path("/etc/appliance/appliance.env")
GROUP = Path("/sys/fs/cgroup/system.slice/appliance.service")
FRONT = "http://127.0.0.1"
SLOW = 900.0
"""Seconds that a step may take: everything is emulated."""
PLAN = {
    "nginx": (0.5, 256, "12"),
    "api": (4, 1024, "0-3"),
    "worker-high": (0.5, 512, "10"),
    "worker-default": (0.5, 512, "11"),
    "worker-ai": (4, 4096, "4-7"),
    "scheduler": (1, 1024, "13"),
    "mongo": (2, 2048, "8-9"),
    "redis": (0.5, 256, "12"),
}
"""The plan for 16 CPUs and 16 GiB, written down a second time: CPUs, MiB, cores."""
EATER = """import mmap, os, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
taken = mmap.mmap(-1, 5 << 30)
for at in range(0, 5 << 30, mmap.PAGESIZE):
    taken[at] = 1
"""
"""Joins a cgroup and takes 5 GiB."""
started = time.monotonic()


def say(kind: str, text: str) -> None:
    print(f"{kind} {time.monotonic() - started:6.1f} s  {text}", flush=True)


def judge(holds: object, text: str) -> None:
    say("ok" if holds else "FAIL", text)


def shell(*command: str, seconds: float = SLOW) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def until(condition: Callable[[], object], seconds: float = SLOW) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def ask(path: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(FRONT + path, data=content, headers=headers)  # noqa: S310
    if body is not None:
        request.add_header("content-type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as fault:
        return fault.code, fault.read().decode(errors="replace")[:300]
    except OSError as fault:
        return 0, str(fault)


def ready() -> bool:
    return ask("/readyz")[0] == 200


def unit(name: str) -> str:
    return shell("systemctl", "show", "-p", name, "--value", "appliance").stdout.strip()


def status() -> dict[str, Any]:
    told: dict[str, Any] = json.loads(shell("appliance", "status", "--json").stdout)
    return told


def pids() -> dict[str, int]:
    return {row["name"]: row["pid"] for row in status()["programs"] if row["pid"]}


def group_of(pid: int) -> Path:
    return Path("/sys/fs/cgroup") / Path(f"/proc/{pid}/cgroup").read_text().strip().partition("::/")[2]


def read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as fault:
        return f"({fault.strerror})"


def start() -> None:
    judge(shell("systemctl", "is-enabled", "appliance").stdout.strip() == "enabled", "the unit is enabled")
    told = shell("systemctl", "start", "appliance")
    judge(told.returncode == 0, f"systemctl start: {told.returncode} {told.stderr.strip()}")
    judge(unit("ActiveState") == "active", f"state {unit('ActiveState')}, status: {unit('StatusText')}")
    judge(unit("NRestarts") == "0", f"restarts {unit('NRestarts')}")
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid in pids().values()}
    judge(owners and 0 not in owners, f"no program runs as root: uids {sorted(owners)}")
    judge(oct(DATA.stat().st_mode & 0o777) == "0o700", "the state is closed to others")
    shell("appliance", "maintenance", "on")
    owner = (DATA / "run" / "maintenance").stat().st_uid
    judge(
        owner == DATA.stat().st_uid != 0, f"what root's command makes belongs to the appliance: uid {owner}"
    )
    shell("appliance", "maintenance", "off")
    secure = shell("systemd-analyze", "security", "--no-pager", "appliance").stdout.strip().splitlines()
    say("--", secure[-1] if secure else "systemd-analyze security says nothing")


def readiness() -> None:
    """The limits are looked at before: they hold from the beginning, and a first start takes long here."""
    is_ready = until(ready)
    judge(is_ready, "it is ready")
    if not is_ready:
        for log in sorted((DATA / "logs").glob("*.log")):
            say("--", f"{log.name}: {read(log)[-500:]}".replace("\n", " | "))


def share_group(program: str) -> Path:
    """The cgroup whose limits the program has alone or, as an API, with its like."""
    made: dict[str, Any] = json.loads(read(DATA / "run" / "plan.json"))
    return Path(made["folders"]["memory"]) / ("api" if program.startswith("api-") else program)


def limits() -> None:
    running = pids()
    judge({f"api-{number}" for number in range(1, 5)} <= running.keys(), "four APIs, one a core")
    for program in sorted(running):
        share = "api" if program.startswith("api-") else program
        if share not in PLAN:
            say("--", f"{program} has no share of its own: {group_of(running[program])}")
            continue
        cpus, memory, cores = PLAN[share]
        group = share_group(program)
        judge(group_of(running[program]).is_relative_to(group), f"{program} runs in {group.name}")
        judge(
            read(group / "cpu.max") == f"{int(cpus * 100_000)} 100000", f"{share} {read(group / 'cpu.max')}"
        )
        judge(
            read(group / "memory.max") == str(memory * 2**20), f"{share} {read(group / 'memory.max')} bytes"
        )
        judge(
            read(group / "cpuset.cpus.effective") == cores, f"{share} {read(group / 'cpuset.cpus.effective')}"
        )
        if share == "api":
            cores = program.removeprefix("api-").translate(str.maketrans("1234", "0123"))
        given = ",".join(map(str, sorted(os.sched_getaffinity(running[program]))))
        wide = [core for part in [cores.split("-")] for core in range(int(part[0]), int(part[-1]) + 1)]
        judge(given == ",".join(map(str, wide)), f"{program} may use the cores {given}")
    status_rows = {row["name"]: row for row in status()["programs"]}
    differing = [
        f"{name}: {each} {asked} {row['given'][each]}"
        for name, row in status_rows.items()
        for each, asked in (row["asked"] or {}).items()
        if asked is not None and row["given"][each] != asked  # null: it has none of its own
    ]
    judge(not differing, f"status: asked and given differ: {differing}")
    judge(read(GROUP / "cpu.max") == "1600000 100000", f"all together: {read(GROUP / 'cpu.max')}")
    judge(read(GROUP / "memory.max") == str(16 * 2**30), f"all together: {read(GROUP / 'memory.max')} bytes")


def out_of_memory() -> None:
    """A process in the AI worker's place takes more than its share."""
    before, group = pids(), share_group("worker-ai")
    eater = subprocess.Popen(["/usr/bin/python3", "-c", EATER, str(group)])
    judge(eater.wait(SLOW) == -9, f"what takes 5 GiB in worker-ai is killed: {eater.returncode}")
    counts = dict(line.split() for line in read(group / "memory.events").splitlines())
    judge(counts.get("oom_kill") == "1", f"its cgroup counts it: {counts}")
    others = {
        each.parent.name: read(each)
        for each in group.parent.glob("*/memory.events")
        if each.parent != group and "oom_kill 0" not in read(each)
    }
    judge(not others, f"nobody else's does: {others}")
    judge(pids() == before and ready(), "every program is the process it was, and all is ready")


@contextlib.contextmanager
def trickle(form: str, token: str) -> Iterator[dict[str, list[str]]]:
    """Submits and reads, a few a second, for as long as the block runs."""
    told: dict[str, list[str]] = {"kept": [], "failed": []}
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.3):
            code, answer = ask(f"/api/v1/forms/{form}/responses", {"data": {"name": "Ada"}})
            if code == 201:
                told["kept"].append(answer["response_id"])
            else:
                told["failed"].append(f"submit {code} {answer}")
            code, answer = ask("/api/v1/forms", authorization=f"Bearer {token}")
            if code != 200:
                told["failed"].append(f"read {code} {answer}")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield told
    finally:
        over.set()
        thread.join()


def login() -> str:
    password = (DATA / "secrets" / "admin_password").read_text().strip()
    code, answer = ask("/auth/login", {"username": "admin", "password": password})
    judge(code == 200, f"login: {code}")
    return str(answer["token"])


def make_form(token: str) -> str:
    asked = {"title": "Lunch", "definition": {"elements": [{"type": "text", "name": "name"}]}}
    code, form = ask(
        "/api/v1/forms", {**asked, "settings": {"public": True}}, authorization=f"Bearer {token}"
    )
    judge(code == 201, f"a form: {code}")
    path = f"/api/v1/forms/{form['form_id']}/publish"
    judge(ask(path, {}, authorization=f"Bearer {token}")[0] == 200, "published")
    return str(form["form_id"])


def reload() -> None:
    token = login()
    form = make_form(token)
    before = pids()
    with trickle(form, token) as told:
        judge(until(lambda: told["kept"]), "answers come in")
        with CONFIG.open("a") as file:
            file.write("APPLIANCE_LIMIT_REQUESTS=50\n")
        done = shell("systemctl", "reload", "appliance", seconds=2 * SLOW)
    journal = shell("journalctl", "-u", "appliance", "-n", "20", "-o", "cat", "--no-pager").stdout
    judge(done.returncode == 0, f"systemctl reload: {done.returncode} {done.stderr.strip()}")
    if done.returncode:
        say("--", journal.replace("\n", " | "))
    judge(
        told["kept"] and not told["failed"], f"{len(told['kept'])} answers kept, failed {told['failed'][:3]}"
    )
    code, listed = ask(f"/api/v1/forms/{form}", authorization=f"Bearer {token}")
    count = listed.get("response_count") if code == 200 else listed
    judge(count == len(told["kept"]), f"the form has {count}")
    after = pids()
    same = sorted(name for name in before if before[name] == after.get(name))
    judge(same == ["mongo", "nginx", "redis"], f"the same processes as before: {same}")
    judge("rate=50r/s" in read(DATA / "run" / "nginx.conf"), "the changed setting holds")
    with CONFIG.open("a") as file:
        file.write("APPLIANCE_LOG_LEVEL=loud\n")
    refused = shell("systemctl", "reload", "appliance")
    judge(refused.returncode != 0 and ready(), "settings that cannot be used: reload fails, all runs on")
    CONFIG.write_text(CONFIG.read_text().replace("APPLIANCE_LOG_LEVEL=loud\n", ""))
    judge(pids() == after, "… and nothing was restarted")


def stop() -> None:
    began = time.monotonic()
    told = shell("systemctl", "stop", "appliance")
    judge(told.returncode == 0, f"systemctl stop: {time.monotonic() - began:.1f} s")
    judge(unit("Result") == "success", f"result {unit('Result')}, exit status {unit('ExecMainStatus')}")
    judge(not GROUP.exists(), "its cgroups are gone")
    left = [pid for pid in Path("/proc").iterdir() if pid.name.isdigit() and _is_ours(pid)]
    judge(not left, f"no process is left: {left}")


def _is_ours(process: Path) -> bool:
    try:
        return str((process / "cwd").readlink()).startswith(str(DATA))
    except OSError:
        return False


def again() -> None:
    told = shell("systemctl", "start", "appliance")
    judge(told.returncode == 0 and until(ready), "started again")
    os.kill(int(unit("MainPID")), 9)
    judge(
        until(lambda: unit("NRestarts") == "1" and ready()),
        "killed -9, systemd starts it again and it is ready",
    )


def idle() -> None:
    """45 s after it is ready, as PSS: a page that n processes share counts 1/n in each."""
    time.sleep(45)
    sizes: dict[str, int] = {}
    for folder in sorted({path.parent for path in GROUP.rglob("cgroup.procs")}):
        for pid in read(folder / "cgroup.procs").split():
            lines = read(Path("/proc") / pid / "smaps_rollup").splitlines()
            kib = [int(line.split()[1]) for line in lines if line.startswith("Pss:")]
            sizes[folder.name] = sizes.get(folder.name, 0) + sum(kib)
    told = ", ".join(f"{name} {kib >> 10}" for name, kib in sizes.items())
    say("--", f"idle, MiB: together {sum(sizes.values()) >> 10}; {told}")


def move() -> None:
    global DATA
    DATA = Path("/srv/appliance")
    told = shell("appliance", "move", str(DATA))
    judge(
        told.returncode == 0,
        f"appliance move: {told.stdout.strip()} {told.stderr.strip()}".replace("\n", " | "),
    )
    judge(until(ready), "it runs on the new folder")
    judge((DATA / "run" / "supervisor.sock").is_socket(), "… and in it")
    login()


def uninstall() -> None:
    told = shell("appliance", "uninstall")
    judge(
        told.returncode == 0,
        f"appliance uninstall: {told.stdout.strip()} {told.stderr.strip()}".replace("\n", " | "),
    )
    judge(not HOME.exists() and not Path("/usr/local/bin/appliance").exists(), "code and command are gone")
    judge(unit("LoadState") == "not-found", f"the unit is {unit('LoadState')}")
    judge((DATA / "secrets" / "admin_password").exists() and CONFIG.exists(), "state and settings are kept")


def main() -> None:
    say("--", f"Linux {os.uname().release}, {shell('systemctl', '--version').stdout.split(chr(10))[0]}")
    say("--", f"{os.cpu_count()} CPUs, controllers: {read(Path('/sys/fs/cgroup/cgroup.controllers'))}")
    chosen = Path("/opt/steps").read_text().split() if Path("/opt/steps").exists() else []
    for step in (start, limits, readiness, idle, out_of_memory, reload, again, move, stop, uninstall):
        if chosen and step.__name__ not in chosen:
            continue
        try:
            step()
        except Exception:
            say("FAIL", f"{step.__name__}: {traceback.format_exc()}".replace("\n", " | "))
    if any(word in read(DATA / "logs" / "supervisord.log") for word in ("CRIT", "Traceback")):
        say("--", "supervisord.log: " + read(DATA / "logs" / "supervisord.log")[-500:].replace("\n", " | "))
    print("-- end", flush=True)


if __name__ == "__main__":
    main()
