"""Files that are there whole or not at all, and how much room there is for them."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_EXCHANGE = 2
"""RENAME_EXCHANGE of renameat2(2)."""
_HERE = -100
"""AT_FDCWD."""
_CLONE = 0x40049409
"""FICLONE of ioctl_ficlonerange(2)."""
RESERVE_BYTES = 64 * 2**20
"""Below so much free space on the data folder's disk, the API writes nothing more."""


def write_durably(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace a file so that after a crash or power loss the old or the new content is there, whole."""
    with _draft(path, content, mode, durable=True) as draft:
        draft.replace(path)
    sync_folder(path.parent)


def write_atomically(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Replace a file so that no reader sees half of it. For what can be made again at the next start."""
    with _draft(path, content, mode, durable=False) as draft:
        draft.replace(path)


def move_durably(draft: Path, path: Path) -> None:
    """Give a file that was written under another name its own: whole after power loss, or not there."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def create_once(path: Path, content: str | bytes, *, mode: int = 0o600) -> bytes:
    """What the file holds: `content` if this call created it, else what was there. Safe to race."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    with _draft(path, content, mode, durable=True) as draft, contextlib.suppress(FileExistsError):
        path.hardlink_to(draft)
    sync_folder(path.parent)
    return path.read_bytes()


@contextlib.contextmanager
def only_one(folder: Path, name: str = ".lock", *, mode: int = 0o600) -> Iterator[bool]:
    """Whether nobody else is inside, in any process of this machine. The end of a process, and of those that
    it has forked, lets others in.
    """
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def bytes_of(path: Path) -> int:
    """Of a file, or of all files below a folder; what links lead to is not counted. Raises OSError."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())


def free_bytes(folder: Path) -> int:
    """What anybody may still write on the folder's disk; root's own share is not counted. Raises OSError."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def is_one(one: Path, other: Path) -> bool:
    """Whether the two lie on one disk. Raises OSError."""
    return one.stat().st_dev == other.stat().st_dev


def is_mount(folder: Path) -> bool:
    """Also when it is a folder of the same disk that is mounted there, which `Path.is_mount` does not see."""
    return shown(folder.resolve()) in mounts()


def mounts() -> set[str]:
    """Where something is mounted, as `shown`."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()  # proc(5): the fifth field, so escaped
    return {line.split()[4] for line in lines}


def shown(folder: Path) -> str:
    """Of a path without links, as the kernel shows it."""
    return str(folder).translate({ord(each): f"\\{ord(each):03o}" for each in " \t\n\\"})


@contextlib.contextmanager
def _draft(path: Path, content: str | bytes, mode: int, *, durable: bool) -> Iterator[Path]:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask is
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def copy_durably(path: Path, to: Path) -> None:
    """The same file once more, with owner, mode and times; sharing its blocks where the disk's format can.
    The new name is durable once its folder is synced. Raises OSError.
    """
    with path.open("rb") as source, to.open("xb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        try:
            fcntl.ioctl(copy.fileno(), _CLONE, source.fileno())
        except OSError:
            shutil.copyfileobj(source, copy, 2**20)
            copy.flush()
        found = os.fstat(source.fileno())
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(copy.fileno(), found.st_uid, found.st_gid)
        shutil.copystat(path, to)
        os.fsync(copy.fileno())


def can_clone(folder: Path) -> bool:
    """Whether a copy within this folder's disk takes no room. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder) as one, tempfile.TemporaryFile(dir=folder) as other:
        one.write(bytes(65536))
        one.flush()
        try:
            fcntl.ioctl(other.fileno(), _CLONE, one.fileno())
        except OSError:
            return False
        return True


def exchange(one: Path, other: Path) -> None:
    """Two names of one disk change places in one step, and durably. Raises OSError, also where the disk's
    format has no such thing (EINVAL).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    for folder in {one.parent, other.parent}:
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in it durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Nobody else who asks for this lock has it meanwhile. It lies beside the file that it is about, which is
    replaced by others. Raises OSError.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
