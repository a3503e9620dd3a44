"""What a killed supervisor leaves behind ends; what merely has a number of ours lives on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from appliance import processes
from appliance.addresses import Paths
from appliance.runtime import leftovers, records
from tests.runtime.servers import kill_group, until

SLEEP = ["sleep", "300"]


@contextmanager
def child(command: list[str], cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    made = subprocess.Popen(command, cwd=cwd, process_group=0, stdout=subprocess.PIPE)
    try:
        yield made
    finally:
        kill_group(made.pid)
        made.wait()
        assert made.stdout
        made.stdout.close()


def is_alive(pid: int) -> bool:
    stat = processes.find_stat(pid)
    return stat is not None and stat.state not in "ZX"


def family(cwd: Path, program: str) -> list[str]:
    """A leader that starts one more process in its group, says its pid and waits."""
    start = f"subprocess.Popen(['sleep', '300'], cwd={str(cwd)!r})"
    code = f"import subprocess, time; print({start}.pid, flush=True); {program}"
    return [sys.executable, "-c", code]


def test_a_recorded_program_ends_with_its_whole_group(paths: Paths) -> None:
    with child(family(paths.run, "time.sleep(300)"), paths.run) as leader:
        assert leader.stdout
        other = int(leader.stdout.readline())
        records.write(paths, "nginx", leader.pid)
        done = leftovers.end(paths, patience=5)
        assert not is_alive(leader.pid)
        assert not is_alive(other)
    assert done == [f"ended nginx of an earlier run ({', '.join(map(str, sorted((leader.pid, other))))})"]
    assert list(paths.pids.iterdir()) == []


def test_a_record_that_names_a_stranger_ends_nobody(paths: Paths) -> None:
    """Whoever may write to the data folder may name root's processes there."""
    with child(SLEEP, Path("/")) as stranger:
        records.write(paths, "nginx", stranger.pid)
        assert not leftovers.are_there(paths)
        assert leftovers.end(paths, patience=1) == []
        assert is_alive(stranger.pid)


def test_a_number_that_has_passed_on_since_it_was_looked_up_is_not_signalled(paths: Paths) -> None:
    """Between looking and the handle the process ended, and a stranger has its number."""
    with child(SLEEP, paths.run) as ended, child(SLEEP, Path("/")) as stranger:
        record = records.write(paths, "nginx", ended.pid)
        leftovers._signal_one(paths, record, stranger.pid, signal.SIGKILL)
        leftovers._signal_one(paths, record, ended.pid, signal.SIGKILL)
        assert ended.wait(10) == -signal.SIGKILL
        assert is_alive(stranger.pid)


def test_what_ignores_term_is_killed(paths: Paths) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = f"import signal, time\n{ignore}\nprint(flush=True)\ntime.sleep(300)"
    with child([sys.executable, "-c", code], paths.run) as stubborn:
        assert stubborn.stdout
        stubborn.stdout.readline()
        records.write(paths, "redis", stubborn.pid)
        leftovers.end(paths, patience=0.3)
        assert stubborn.wait(5) == -signal.SIGKILL


def test_a_stopped_process_is_killed_too(paths: Paths) -> None:
    with child(SLEEP, paths.run) as frozen:
        frozen.send_signal(signal.SIGSTOP)
        records.write(paths, "redis", frozen.pid)
        leftovers.end(paths, patience=0.3)
        assert frozen.wait(5) == -signal.SIGKILL


def test_workers_of_a_killed_leader_end(paths: Paths) -> None:
    with child(family(paths.run, "time.sleep(300)"), paths.run) as leader:
        assert leader.stdout
        orphan = int(leader.stdout.readline())
        records.write(paths, "api-1", leader.pid)
        leader.kill()
        leader.wait()
        assert is_alive(orphan)
        leftovers.end(paths, patience=5)
        until(lambda: not is_alive(orphan), 2)


def test_a_group_of_the_number_but_of_another_place_lives(paths: Paths, tmp_path: Path) -> None:
    """The leader is gone, and whoever leads that number's group now does not run in the data folder."""
    with child(family(tmp_path, "time.sleep(300)"), tmp_path) as leader:
        assert leader.stdout
        stranger = int(leader.stdout.readline())
        records.write(paths, "api-1", leader.pid)
        leader.kill()
        leader.wait()
        assert leftovers.end(paths, patience=1) == []
        assert is_alive(stranger)


def forge(paths: Paths, record: records.Record) -> None:
    (paths.pids / f"{record.program}.json").write_text(json.dumps(asdict(record)))


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another"}])
def test_a_recycled_pid_is_never_touched(paths: Paths, change: dict[str, object]) -> None:
    with child(SLEEP, paths.run) as stranger:
        record = records.write(paths, "mongo", stranger.pid)
        forge(paths, replace(record, **change))  # type: ignore[arg-type]
        assert leftovers.end(paths, patience=1) == []
        assert is_alive(stranger.pid)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null", "\x00"])
def test_a_broken_record_is_no_hindrance(paths: Paths, content: str) -> None:
    (paths.pids / "redis.json").write_text(content)
    assert leftovers.end(paths, patience=1) == []


def test_the_supervisor_ends_first(paths: Paths) -> None:
    """Or it would start again what is ended: here one that starts a new program when its program ends."""
    code = (
        "import subprocess\nwhile True:\n"
        f" p = subprocess.Popen(['sleep', '300'], process_group=0, cwd={str(paths.run)!r})\n"
        " print(p.pid, flush=True)\n p.wait()"
    )
    with child([sys.executable, "-c", code], paths.run) as supervisor:
        assert supervisor.stdout
        program = int(supervisor.stdout.readline())
        records.write(paths, leftovers.SUPERVISOR, supervisor.pid)
        records.write(paths, "redis", program)
        done = leftovers.end(paths, patience=5)
        assert [line.split()[1] for line in done] == ["supervisord", "redis"]
        assert supervisor.stdout.read() == b""  # it started nothing more
        assert not is_alive(program)


def test_stale_sockets_go_and_nothing_else(paths: Paths) -> None:
    for name in ("api-1.sock", "supervisor.sock.12"):
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(paths.run / name))
    (paths.run / "kept.sock").write_text("a file")
    assert leftovers.end(paths) == ["removed stale sockets: api-1.sock, supervisor.sock.12"]
    assert not list(paths.run.glob("api*"))
    assert (paths.run / "kept.sock").exists()


def test_a_process_that_is_gone_cannot_be_recorded(paths: Paths) -> None:
    with child(["true"], paths.run) as gone:
        gone.wait()
        with pytest.raises(ProcessLookupError):
            records.write(paths, "x", gone.pid)


def test_dying_with_the_parent(tmp_path: Path) -> None:
    """Also when the parent died before the child could say so."""
    code = (
        "import os, signal, sys, time\nfrom appliance import processes\nparent = os.getpid()\n"
        "if os.fork() == 0:\n processes.die_with_parent(signal.SIGTERM, parent + int(sys.argv[1]))\n"
        " print(os.getpid(), flush=True)\n time.sleep(300)\ntime.sleep(300)"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(processes.__file__).parent.parent)}
    command = [sys.executable, "-c", code]
    with subprocess.Popen([*command, "0"], stdout=subprocess.PIPE, env=environ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
        until(lambda: not is_alive(pid), 5)
    with subprocess.Popen([*command, "1"], stdout=subprocess.PIPE, env=environ) as parent:
        until(lambda: any(is_zombie_child(pid, parent.pid) for pid in processes.all_pids()), 5)
        parent.kill()


def is_zombie_child(pid: int, parent: int) -> bool:
    stat = processes.find_stat(pid)
    return stat is not None and stat.parent == parent and stat.state == "Z"
