"""APPLIANCE_USER: root starts the appliance, and everything runs as that user.

`up` itself becomes the user, once it holds the data folder's lock and has made the cgroups, and before it
starts anything; so no program ever needs to give up rights by itself. A folder that is the user's already may
say anything: `up` acts as the user before it reads there, and as root only on files of the kernel's.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from appliance import processes, settings
from appliance.errors import CannotStart, SettingError
from appliance.runtime import place
from appliance.settings import HOME, Settings


def find_faults(asked: Settings) -> list[str]:
    """Why the programs cannot run as APPLIANCE_USER, a line each with the next command."""
    if asked.user is None:
        return []
    head = f"APPLIANCE_USER={asked.user}"
    account = _find(asked.user)
    if account is None:
        return [f"{head}: there is no such user; next: useradd --system {asked.user}, or unset it"]
    if os.geteuid() == account.pw_uid:
        return []
    if os.geteuid() != 0:
        me = place.user(os.geteuid())
        return [f"{head}: only root may start programs as another user, and this is {me}; next: use sudo"]
    return [f"{head}: {fault}" for fault in _unreachable(account, asked.data)]


def is_wanted(asked: Settings) -> bool:
    """Whether the programs are to run as somebody else than us."""
    account = _find(asked.user) if asked.user else None
    return account is not None and account.pw_uid != os.geteuid()


def hand_over(asked: Settings) -> int:
    """Give the data folder with all that is in it to APPLIANCE_USER; how many files changed hands.

    Links are given, never what they lead to. Killed in between, the next start goes on. Raises OSError.
    """
    account, changed = _account(asked), 0
    for _, names, files, descriptor in os.fwalk(asked.data, follow_symlinks=False):
        for name in (*names, *files):
            changed += _give(name, account, descriptor)
    return changed + _give(asked.data, account, None)


def is_given(asked: Settings) -> bool:
    """The data folder is APPLIANCE_USER's already."""
    try:
        return asked.data.stat().st_uid == _account(asked).pw_uid
    except OSError:
        return False


def step_aside(asked: Settings) -> None:
    """Act as APPLIANCE_USER; `as_root` leads back until `become`. Raises OSError."""
    account = _account(asked)
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    # The real one too: it alone would allow to signal root's processes (kill(2)).
    os.setresuid(account.pw_uid, account.pw_uid, 0)
    processes.allow_own_files()


@contextlib.contextmanager
def as_root() -> Iterator[None]:
    """For who has stepped aside; nothing changes for anybody else."""
    _, acting, saved = os.getresuid()
    if saved != 0 or acting == 0:
        yield
        return
    os.seteuid(0)
    try:
        yield
    finally:
        os.seteuid(acting)
        processes.allow_own_files()


def become(asked: Settings) -> None:
    """Be APPLIANCE_USER from now on, for good. Raises OSError."""
    if os.getresuid()[2] == 0:
        os.seteuid(0)
    _become(_account(asked))


def step_down() -> None:
    """For root's commands: be the data folder's owner, so that nothing is left there that he cannot read."""
    try:
        data = settings.find_data()
        owner = pwd.getpwuid(data.stat().st_uid)
    except (SettingError, OSError, KeyError):
        return  # the command itself says what is wrong, or there is nobody to be
    if owner.pw_uid != os.geteuid():
        _become(owner)


def _become(account: pwd.struct_passwd) -> None:
    os.initgroups(account.pw_name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)
    processes.allow_own_files()
    os.environ |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}


def ids(asked: Settings) -> tuple[int, int]:
    """User and group of APPLIANCE_USER."""
    account = _account(asked)
    return account.pw_uid, account.pw_gid


def _account(asked: Settings) -> pwd.struct_passwd:
    account = _find(asked.user or "")
    if account is None:
        raise CannotStart(f"APPLIANCE_USER={asked.user}: there is no such user")
    return account


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _give(name: str | Path, account: pwd.struct_passwd, folder: int | None) -> bool:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
        return False  # it may be somebody's outside, linked in here
    if (found.st_uid, found.st_gid) == (account.pw_uid, account.pw_gid):
        return False
    os.chown(name, account.pw_uid, account.pw_gid, dir_fd=folder, follow_symlinks=False)
    return True


def _unreachable(account: pwd.struct_passwd, data: Path) -> Iterator[str]:
    """Asked by a child that is the user: modes, groups, lists and mounts all count."""
    needed = [HOME / "appliance" / "__main__.py", HOME / "nginx.conf", Path(sys.executable), *_sources()]
    wanted = [(path, os.R_OK) for path in needed] + [(_above(data), os.X_OK)]
    for (path, _), may in zip(wanted, _ask_as(account, wanted), strict=True):
        if not may:
            yield (
                f"{account.pw_name} cannot reach {path}; next: see `namei -l {shlex.quote(str(path))}`"
                " for the folder that keeps him out, or put the code into /opt and the data into /var/lib"
            )


def _sources() -> list[Path]:
    """Files that settings come from: each program reads them again."""
    return sorted({path for _, source in settings.resolve().values() if (path := _source(source))})


def _source(name: str) -> Path | None:
    path = settings.find_dotenv(os.environ) if name == ".env" else Path(name)
    return path if path.is_absolute() else None


def _above(data: Path) -> Path:
    """The nearest folder above the data that exists: the data itself is handed over."""
    return place.nearest(data.parent)


def _ask_as(account: pwd.struct_passwd, wanted: list[tuple[Path, int]]) -> list[bool]:
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            os.write(sink, bytes(os.access(path, mode) for path, mode in wanted))
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as told:
        answers = told.read()
    os.waitpid(child, 0)
    return [bool(answer) for answer in answers] or [False] * len(wanted)
