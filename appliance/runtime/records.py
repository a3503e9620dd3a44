"""Which processes belong to a data folder: each program records itself before it becomes what it is.

A record names a process for good: pid, start time and boot id. Pids are used again; the three together
are not.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance import processes
from appliance.addresses import Paths
from appliance.disk import write_atomically


@dataclass(frozen=True, slots=True)
class Record:
    program: str
    pid: int
    start_time: int
    boot_id: str


def write(paths: Paths, program: str, pid: int | None = None) -> Record:
    """Record the calling process (or a child of it) as `program`; exec keeps what is recorded."""
    pid = os.getpid() if pid is None else pid
    started = processes.start_time(pid)
    if started is None:
        raise ProcessLookupError(f"process {pid} ({program}) is gone")
    record = Record(program, pid, started, processes.boot_id())
    write_atomically(_path(paths, program), json.dumps(asdict(record)))
    return record


def read_all(paths: Paths) -> list[Record]:
    """Records of this boot, by program name. What cannot be read is of no use and left out."""
    boot = processes.boot_id()
    found = [_find(path) for path in sorted(paths.pids.glob("*.json"))]
    return [record for record in found if record and record.boot_id == boot]


def find_members(paths: Paths, record: Record) -> list[int]:
    """Living processes of a recorded program: its process and the process group that it leads.

    The record itself is no proof, since whoever may write it may name any process: its process must run in
    the data folder, as everything that `launch` starts does.

    When the leader is gone, the kernel keeps its number from new processes as long as the group lives,
    but the group may be one of a later owner of that number. So its members count only when they are
    younger than the record and run in the data folder.
    """
    members = {
        pid: stat
        for pid in processes.all_pids()
        if (stat := processes.find_stat(pid)) and stat.group == record.pid and stat.state not in "ZX"
    }
    leader = processes.find_stat(record.pid)
    if leader and leader.start_time != record.start_time:
        return []
    if leader and leader.state not in "ZX":
        return sorted({record.pid, *members}) if _runs_in(paths, record.pid) else []
    return [
        pid for pid, stat in members.items() if stat.start_time >= record.start_time and _runs_in(paths, pid)
    ]


def remove(paths: Paths, program: str) -> None:
    _path(paths, program).unlink(missing_ok=True)


def _path(paths: Paths, program: str) -> Path:
    return paths.pids / f"{program}.json"


def _find(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _runs_in(paths: Paths, pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(paths.data.resolve())
    except OSError:
        return False
