"""The whole appliance below its parent: started, refused, killed in every way, cleaned up, stopped."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance import addresses, processes, settings, trees
from appliance.addresses import Paths, read_line
from appliance.runtime import programs, records, up
from appliance.settings import HOME
from tests.runtime.servers import operator_environ, reachable, temporary_data, until

READY = 60  # seconds; a first start bootstraps the database


class Appliance:
    """`appliance up` in a child, its lines as they come."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ = environ
        self.settings = settings.load(environ, dotenv=Path("/nonexistent"))
        self.paths = Paths(self.settings.data)
        self.lines: list[str] = []
        self.parent = subprocess.Popen(
            [sys.executable, "-P", "-m", "appliance", "up"],
            env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0,
        )  # fmt: skip
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.parent.stdout
        for line in self.parent.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, pattern: str) -> bool:
        return any(re.search(pattern, line) for line in list(self.lines))

    def wait_ready(self) -> None:
        until(lambda: self.said("ready after") or self.parent.poll() is not None, READY, "ready")
        assert self.said("ready after"), "\n".join(self.lines)

    def pid(self, program: str) -> int:
        return next(record.pid for record in records.read_all(self.paths) if record.program == program)

    def pids(self) -> dict[str, list[int]]:
        """Living processes by program."""
        return {
            record.program: records.find_members(self.paths, record)
            for record in records.read_all(self.paths)
        }

    def living(self) -> list[int]:
        """Whatever runs in the data folder, recorded or not."""
        return [pid for pid in processes.all_pids() if runs_below(pid, self.paths.data)]

    def wait(self) -> int:
        status = self.parent.wait(60)
        self.reader.join(10)
        assert self.parent.stdout
        self.parent.stdout.close()
        return status

    def end(self) -> None:
        if self.parent.poll() is None:
            self.parent.send_signal(signal.SIGTERM)
        try:
            self.wait()
        finally:
            for pid in self.living():
                os.kill(pid, signal.SIGKILL)


def open_files(pid: int) -> list[Path]:
    return [path for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]


def runs_below(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


@contextmanager
def appliance(environ: dict[str, str]) -> Iterator[Appliance]:
    made = Appliance(environ)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def running() -> Iterator[Appliance]:
    """One that only looks are taken at."""
    with temporary_data() as data:
        environ = operator_environ(data) | {
            "SECRET_KEY": "sesame-key-" * 4,
            "APPLIANCE_ADMIN_PASSWORD": "sesame-admin",
        }
        with appliance(environ) as made:
            made.wait_ready()
            until(lambda: reachable(int(read_line(made.paths.mongo_port))))
            yield made


def test_it_says_what_it_does_and_where_it_is(running: Appliance) -> None:
    text = "\n".join(running.lines)
    assert all(re.match(r"\[ *\d+\.\d s\] \S", line) for line in running.lines), text
    assert f"http://127.0.0.1:{running.settings.http_port}/" in text
    assert str(running.paths.admin_password) in text
    assert "sesame" not in text
    assert read_line(running.paths.mongo_password) not in text


def test_the_lock_is_no_link(environ: dict[str, str], data: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("not to be emptied")
    (data / "run").mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    (data / "run" / "lock").symlink_to(victim)
    with appliance(environ) as refused:
        assert refused.wait() == 2
        assert refused.said("run/lock: Too many levels of symbolic links")
    assert victim.read_text() == "not to be emptied"


def test_the_second_start_refuses_and_names_the_first(running: Appliance) -> None:
    second = subprocess.run(
        [sys.executable, "-P", "-m", "appliance", "up"], env=running.environ, capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert second.returncode == 2
    told = second.stdout + second.stderr
    assert f"already runs on {running.paths.data} as process {running.parent.pid}" in told
    assert "Traceback" not in told
    assert (
        httpx.get(f"http://127.0.0.1:{running.settings.http_port}/readyz", trust_env=False).status_code == 200
    )


def test_the_lock_is_the_parents_alone(running: Appliance) -> None:
    holders = [
        pid
        for pid in [*running.living(), running.parent.pid]
        if running.paths.lock in [path.readlink() for path in open_files(pid)]
    ]  # fmt: skip
    assert holders == [running.parent.pid]


def test_every_program_is_recorded_and_leads_its_group(running: Appliance) -> None:
    expected = {
        "supervisord",
        "nginx",
        "redis",
        "mongo",
        "worker-high",
        "worker-default",
        "worker-ai",
        "scheduler",
    }
    expected |= {"guardian"}
    expected |= {f"api-{number}" for number in range(1, programs.api_count(running.settings) + 1)}
    pids = running.pids()
    assert set(pids) == expected
    assert all(pids.values()), pids

    def all_are_recorded() -> bool:
        living = set(running.living())  # workers may still be forking their children
        return living == {pid for members in running.pids().values() for pid in members}

    until(all_are_recorded, 10, "each process is of a recorded program")


def test_idle_it_needs_little_memory(running: Appliance, capsys: pytest.CaptureFixture[str]) -> None:
    """All programs and their supervisor, without a language model: at most 700 MB (PSS)."""
    sizes = {name: trees.proportional(pids) >> 20 for name, pids in running.pids().items()}
    with capsys.disabled():
        print(f"\n  idle, MiB of PSS: {sizes}, together {sum(sizes.values())}")
    assert sum(sizes.values()) < 700 * 1000**2 >> 20


def test_nothing_secret_is_in_ps_nor_in_the_environment_of_other_peoples_servers(running: Appliance) -> None:
    secrets = ["sesame", read_line(running.paths.redis_password), read_line(running.paths.mongo_password)]
    pids = running.pids()
    for members in pids.values():
        for pid in members:
            line = Path(f"/proc/{pid}/cmdline").read_text()
            assert not [secret for secret in secrets if secret in line], line
    for name in ("nginx", "redis", "mongo"):
        for pid in pids[name]:
            known = Path(f"/proc/{pid}/environ").read_text()
            assert not [secret for secret in secrets if secret in known]
            assert "APPLIANCE" not in known
            assert "SUPERVISOR" not in known


def test_it_listens_only_where_promised(running: Appliance) -> None:
    inodes = {str(path.readlink()) for pid in running.living() for path in open_files(pid)}
    found = set()
    for table in ("tcp", "tcp6"):
        for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:]):
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                address, _, port = fields[1].rpartition(":")
                found.add((address, int(port, 16)))
    loopback = "0100007F"
    doors = (
        running.settings.http_port,
        running.settings.https_port,
        int(read_line(running.paths.mongo_port)),
        addresses.metrics_port(running.settings),
    )
    assert found == {(loopback, port) for port in doors}


def test_all_state_is_private(running: Appliance) -> None:
    open_to_others = [
        path
        for path in [running.paths.data, *running.paths.data.rglob("*")]
        if not path.is_symlink()
        and path.stat().st_mode & 0o077
        and path.parent in (running.paths.data, running.paths.secrets)
    ]
    assert open_to_others == []
    for path in running.paths.secrets.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_supervisorctl_restarts_the_apis(running: Appliance) -> None:
    before = {name: pids for name, pids in running.pids().items() if name.startswith("api-")}
    environ = running.environ | programs.supervisor_environment(running.settings)
    ctl = [sys.executable, "-P", "-m", "supervisor.supervisorctl", "-c", str(HOME / "supervisord.conf")]
    status = subprocess.run([*ctl, "status"], env=environ, capture_output=True, text=True, check=False)
    assert "api:api-1" in status.stdout, status.stdout + status.stderr
    assert "RUNNING" in status.stdout
    restarted = subprocess.run(
        [*ctl, "restart", "api:*"], env=environ, capture_output=True, text=True, check=True
    )
    assert "api:api-1: started" in restarted.stdout
    until(lambda: set(running.pids()["api-1"]).isdisjoint(before["api-1"]))
    url = f"http://127.0.0.1:{running.settings.http_port}/healthz"
    until(lambda: httpx.get(url, trust_env=False).status_code == 200)
    tail = subprocess.run(
        [*ctl, "tail", "api:api-1"], env=environ, capture_output=True, text=True, check=True
    )
    assert '"program": "api-1"' in tail.stdout


def test_killed_in_every_way_and_started_again(environ: dict[str, str]) -> None:
    """One data folder through kill -9 of supervisord, of the parent, of both, and a clean stop."""
    with appliance(environ) as first:
        first.wait_ready()
        os.kill(first.pid("supervisord"), signal.SIGKILL)
        assert first.wait() == 1
        assert first.said("supervisord ended by itself")
        assert first.living() == []
    password = first.paths.admin_password.read_text()

    with appliance(environ) as second:
        second.wait_ready()
        second.parent.kill()  # supervisord is told by the kernel and stops everything
        second.parent.wait()
        until(lambda: second.living() == [], 40)

    with appliance(environ) as third:
        third.wait_ready()
        # Nobody can clean up here: supervisord is frozen and killed, and nginx's workers have lost their
        # master, whose death the kernel tells nobody; they hold the ports.
        supervisor, nginx = third.pid("supervisord"), third.pid("nginx")
        workers = [pid for pid in third.pids()["nginx"] if pid != nginx]
        os.kill(supervisor, signal.SIGSTOP)
        os.kill(nginx, signal.SIGKILL)
        third.parent.kill()
        os.kill(supervisor, signal.SIGKILL)
        third.parent.wait()
        assert workers
        assert set(workers) <= set(third.living())
        assert reachable(third.settings.http_port)

        with appliance(environ) as fourth:
            fourth.wait_ready()
            assert fourth.said(rf"ended nginx of an earlier run \(.*{workers[0]}"), "\n".join(fourth.lines)
            assert not set(workers) & set(fourth.living())
            fourth.parent.send_signal(signal.SIGTERM)
            assert fourth.wait() == 0
            assert fourth.said(r"stopping \(SIGTERM\)")
            assert fourth.living() == []
            assert not reachable(fourth.settings.http_port)
    assert first.paths.admin_password.read_text() == password


STAY = {"supervisord", "redis", "mongo", "nginx"}
"""What a reload leaves running; nginx renews its workers itself, if there is something new for it."""


def test_hup_replaces_every_program_but_the_stores_and_the_door(running: Appliance) -> None:
    """Under load, and with changed settings: tests/faults/test_reload.py."""
    before = running.pids()
    running.parent.send_signal(signal.SIGHUP)
    until(lambda: running.said("reloaded$"), 120, "reloaded")
    now = running.pids()
    assert {name for name in before if set(before[name]) & set(now[name])} == STAY
    url = f"http://127.0.0.1:{running.settings.http_port}/readyz"
    assert httpx.get(url, trust_env=False).status_code == 200
    assert running.parent.poll() is None


def test_supervisors_own_shutdown_is_not_a_clean_stop(running: Appliance) -> None:
    """supervisord exits 0 then; the parent says that it did not ask for it. Last: it ends the shared one."""
    environ = running.environ | programs.supervisor_environment(running.settings)
    ctl = [sys.executable, "-P", "-m", "supervisor.supervisorctl", "-c", str(HOME / "supervisord.conf")]
    until(running.paths.search_socket.exists)
    subprocess.run([*ctl, "shutdown"], env=environ, capture_output=True, check=True)
    assert running.wait() == 1
    assert running.living() == []
    assert not running.said("stale sockets"), "each program has ended as it should"


def test_what_cannot_start_leaves_nothing_behind(environ: dict[str, str], data: Path) -> None:
    """A taken port: said before anything starts, and no process is left."""
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", int(environ["APPLIANCE_HTTP_PORT"])))
        stranger.listen(1)
        with appliance(environ) as refused:
            assert refused.wait() == 2
            assert refused.said(f"port {environ['APPLIANCE_HTTP_PORT']} on 127.0.0.1: address already in use")
            assert not refused.said("supervisord runs")
            assert refused.living() == []
    assert not data.exists()


@pytest.mark.parametrize(
    "began,least,most",
    [(lambda: f"{time.time() - 90}", 90, 100), (lambda: f"{time.time() - 90}".replace(".", ","), 90, 100),
     (lambda: f"{time.time() + 3600}", 0, 10), (lambda: "nonsense", 0, 10), (lambda: "", 0, 10)],
)  # fmt: skip
def test_its_lines_count_from_the_start_of_the_script(
    began: Callable[[], str], least: float, most: float, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Which has set things up before, and told the seconds of that."""
    monkeypatch.setenv(up.BEGAN, began())
    steps = up.Steps()
    steps.say("data folder")
    told = re.fullmatch(r"\[ *(\d+\.\d) s\] data folder\n", capsys.readouterr().out)
    assert told and least <= float(told[1]) < most
    assert steps.seconds < 10, "what is waited for is our own"
    assert up.BEGAN not in os.environ, "no program is told"


def test_setup_counts_from_there_too() -> None:
    """By the same words as the appliance."""
    setup = (HOME / "scripts" / "setup").read_text()
    assert "export SCRIPTS_UP_BEGAN=$EPOCHREALTIME" in (HOME / "scripts" / "up").read_text()
    pattern = r"^started=[^\n]*|^seconds\(\) \{.*?^\}|^step\(\) [^\n]*"
    shown = "\n".join(re.findall(pattern, setup, re.MULTILINE | re.DOTALL))
    code = f"set -eu; SCRIPTS_UP_BEGAN={time.time() - 90:.6f}\n{shown}\nstep ready"
    told = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True).stdout
    found = re.fullmatch(r"\[ *(\d+\.\d) s\] ready\n", told)
    assert found and 90 <= float(found[1]) < 100
