"""What Linux tells about processes, and how a child dies with its parent."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
from pathlib import Path
from typing import NamedTuple

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_libc = ctypes.CDLL(None, use_errno=True)


class Stat(NamedTuple):
    """The fields of /proc/PID/stat that identify a process (proc(5))."""

    state: str
    parent: int
    group: int
    start_time: int
    """Clock ticks since boot; with the boot id and the pid it names a process for good."""


def die_with_parent(death: signal.Signals, parent: int) -> None:
    """Have the kernel send `death` when the parent dies; end at once when `parent` is no longer the parent.

    `parent` must have been learnt while it certainly lived (before a fork, or from multiprocessing's
    parent_process()). The wish survives exec but not fork or a change of user (prctl(2)), so each
    process asks for itself, after dropping privileges. It follows the parent's *thread* that forked.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, int(death), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        signal.signal(death, signal.SIG_DFL)
        os.kill(os.getpid(), death)


def allow_own_files() -> None:
    """After a change of user, let this process read and write its own /proc files again (prctl(2))."""
    if _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def raise_oom_score(score: int) -> None:
    """Be ended rather than others when memory runs out: 0 to 1000 (proc(5), oom_score_adj). Never lowers it.

    To lower it would need a right. Raises OSError.
    """
    path = Path("/proc/self/oom_score_adj")
    if int(path.read_text()) < score:
        path.write_text(str(score))


def beat(path: Path) -> None:
    """Show life to whoever guards us, by touching the file. A full disk is no matter."""
    with contextlib.suppress(OSError):
        path.touch()


def find_stat(pid: int) -> Stat | None:
    """None when there is no such process (any more)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command in parentheses may hold spaces and parentheses; what follows its last one is regular.
    fields = text.rpartition(")")[2].split()
    return Stat(fields[0], int(fields[1]), int(fields[2]), int(fields[19]))


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of the process; None when it does not exist."""
    found = find_stat(pid)
    return found.start_time if found else None


def boot_id() -> str:
    """Changes with each boot, so that start times of different boots are never compared."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def children(pid: int) -> set[int]:
    return {each for each in all_pids() if (stat := find_stat(each)) and stat.parent == pid}


def reap() -> dict[int, int]:
    """Collect every child that has ended: pid → wait status. PID 1 must, or zombies pile up."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def listens(pid: int, port: int) -> bool:
    """Whether this very process holds the listening TCP socket; a stranger may have been faster."""
    wanted = f"{port:04X}"
    inodes = {
        fields[9]
        for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
        if table.exists()
        for fields in map(str.split, table.read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].rpartition(":")[2] == wanted  # 0A: TCP_LISTEN
    }
    return any(f"socket:[{inode}]" in _open_files(pid) for inode in inodes)


class OpenFiles(NamedTuple):
    number: int
    limit: int | None
    """That it may have; None: without end."""


def open_files(pid: int) -> OpenFiles | None:
    """None when it has ended, or we may not look."""
    try:
        count = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        limits = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return None
    soft = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
    return OpenFiles(count, int(soft) if soft.isdigit() else None)


def _open_files(pid: int) -> set[str]:
    found: set[str] = set()
    try:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(path.readlink()))
    except OSError:
        pass  # closed or ended while we looked
    return found


def spare_the_collector() -> None:
    """What stands after the start stays, and what is made goes when nobody holds it: to walk all that again
    and again was a tenth of the CPU of a request, and four fifths of it for decoding a thousand responses.

    Frozen pages also stay shared with children that are forked later.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    give_back_memory()


def give_back_memory() -> None:
    """Memory that nobody uses goes to the kernel (malloc_trim(3)): glibc keeps it for what may come. One that
    has been given 19 MiB to hash a password would hold them for as long as it runs.
    """
    _libc.malloc_trim(0)
