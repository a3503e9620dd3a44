"""`appliance move FOLDER`: the data folder goes to another place or disk, and nothing is lost on the way.

    mark ──▶ stop ──▶ copy, synced and compared ──▶ unit and setting changed ──▶ start ──▶ no mark

The old folder stays as it was, for the operator to remove. Killed before the setting is changed, the old
folder is still the one in use, and the same command begins anew; killed later, it does what is left.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

from appliance import settings
from appliance.addresses import Paths
from appliance.disk import free_bytes, move_durably, sync_folder
from appliance.errors import CannotStart
from appliance.ops import moving, parent, progress, service
from appliance.ops.moving import Mark
from appliance.ops.progress import Told
from appliance.runtime import place, preflight

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - named, not used
"""What the unit's ProtectHome and PrivateTmp hide from the service."""
RESERVE_BYTES = 512 * 1024 * 1024
"""Must be free beside the copy, as for any start."""


def run(target: Path, told: Told = progress.nobody) -> int:
    """Raises CannotStart, SettingError."""
    target = target.resolve()  # `..` and links: what it is, not what it is called
    old, source = settings.resolve()["data"]
    if source != ".env":
        raise CannotStart(
            f"APPLIANCE_DATA comes from {source}, which this command cannot change; next: put the line"
            f" APPLIANCE_DATA={old} into {service.config()} instead, and run this again"
        )
    if service.is_installed():
        service.check_root(f"move {target}")
    if target != old:  # else the setting was changed already, and what comes after it is left to do
        _check(old, target)
        _bring(old, target, told)
    return _finish(target)


def _bring(old: Path, new: Path, told: Told) -> None:
    """Until the setting names the new folder. Raises CannotStart."""
    installed, before = service.is_installed(), moving.read(new)
    is_active = installed and service.is_active()
    # Before the stop: killed after it, the next attempt must know that the service ran.
    moving.write(new, Mark(old, is_active or bool(before and before.was_active)))
    if is_active:
        print("stopping the service")
        service.systemctl("stop", service.NAME)
    with parent.hold(Paths(old)) as pid:  # nothing starts on the old folder meanwhile
        if pid is not None:
            raise CannotStart(
                f"the appliance runs as process {pid}; next: stop it (kill {pid}), run this again"
            )
        files, copied = copy(old, new, told)
        print(f"copied and compared {files} files, {copied / 2**20:.1f} MiB")
        if installed:
            service.write_unit(new)
        _write_setting(service.config(), new)


def _finish(new: Path) -> int:
    """Raises CannotStart when the service does not start."""
    mark = moving.read(new)
    if mark is None:
        print(f"the data folder is {new} already")
        return 0
    try:
        if mark.was_active:
            service.systemctl("start", service.NAME)
            print("the service runs on the new folder")
    finally:
        moving.remove(new)
    print(f"the old folder is as it was; when all is well, remove it: rm -r {mark.old}")
    return 0


def _check(old: Path, new: Path) -> None:
    """Raises CannotStart before anything is stopped."""
    if not (old / "secrets").is_dir():
        raise CannotStart(
            f"{old} is no data folder of an appliance; see APPLIANCE_DATA in {service.config()}"
        )
    if _overlap(old, new):
        raise CannotStart(f"{new} and {old} lie in each other; next: name another folder")
    if not moving.may_be_filled(new, old):
        raise CannotStart(f"{new} is not empty; next: name a folder that does not exist yet")
    if service.is_installed():
        _check_reach(new, old.stat().st_uid)
    if faults := [*place.find_faults(new), *preflight.find_path_faults(new)]:
        raise CannotStart("\n".join(faults))
    needed, free = _bytes(old), free_bytes(place.nearest(new))
    if free < needed + RESERVE_BYTES:
        raise CannotStart(
            f"{new}: {free // 2**20} MiB are free on its disk, {(needed + RESERVE_BYTES) // 2**20} MiB are"
            f" needed; next: see df -h {place.nearest(new)}"
        )


def _overlap(old: Path, new: Path) -> bool:
    """By inode too: the same folder may be mounted elsewhere under another name."""
    above = place.nearest(new)
    return old.is_relative_to(new) or any(each.samefile(old) for each in (above, *above.parents))


def _check_reach(new: Path, user: int) -> None:
    """Whether the service's user gets there, and its unit lets it. Raises CannotStart."""
    if hidden := next((each for each in HIDDEN if new.is_relative_to(each)), None):
        raise CannotStart(f"the service has no access to anything below {hidden}; next: name another folder")
    above = place.nearest(new)
    for folder in (above, *above.parents):
        found = folder.stat()
        if not found.st_mode & stat.S_IXOTH and found.st_uid != user:
            raise CannotStart(
                f"{place.user(user)} may not enter {folder}; next: chmod o+x {folder}, or name another"
            )


def copy(old: Path, new: Path, told: Told = progress.nobody) -> tuple[int, int]:
    """How many files and bytes. What an attempt before left in `new` is removed. Raises CannotStart."""
    for path in new.iterdir():
        if path.name not in (moving.NAME, "lost+found"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    _take_over(old, new)
    count = copied = 0
    total = _bytes(old)
    for path in walk(old):
        to = new / path.relative_to(old)
        if path.is_dir():
            to.mkdir()
            _take_over(path, to)
        else:
            _copy_file(path, to)
            count, copied = count + 1, copied + to.stat().st_size
            told(copied, total)
    for folder in (new, *(path for path in walk(new) if path.is_dir())):
        sync_folder(folder)
    return count, copied


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in walk(folder) if path.is_file())


def walk(folder: Path) -> Iterator[Path]:
    """Folders before what is in them. Sockets and links of `run/` mean nothing elsewhere and are left out.

    Raises CannotStart for a link.
    """
    for path in sorted(folder.iterdir()):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode) and folder.name == "run":
            continue  # made anew at each start
        if stat.S_ISLNK(mode):
            raise CannotStart(
                f"{path} is a link, which cannot be moved; next: replace it by what it leads to"
            )
        if stat.S_ISDIR(mode):
            if path.name != "lost+found":
                yield path
                yield from walk(path)
        elif stat.S_ISREG(mode) and path.name != moving.NAME:
            yield path


def _copy_file(path: Path, to: Path) -> None:
    shutil.copyfile(path, to)
    _take_over(path, to)
    with to.open("rb") as made, path.open("rb") as original:
        os.fsync(made.fileno())
        # Compared as it lies on the disk, not as it was just written.
        os.posix_fadvise(made.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if file_digest(made, "sha256").digest() != file_digest(original, "sha256").digest():
            raise CannotStart(f"{to} differs from {path} after the copy: the disk is not sound; see dmesg")


def _take_over(path: Path, to: Path) -> None:
    """Owner, mode and times."""
    found = path.stat()
    os.chown(to, found.st_uid, found.st_gid)
    shutil.copystat(path, to)


def _write_setting(config: Path, data: Path) -> None:
    found = config.stat()
    text = re.sub(r"(?m)^\s*APPLIANCE_DATA\s*=.*$", lambda _: f"APPLIANCE_DATA={data}", config.read_text())
    draft = config.with_name(f".{config.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)  # others' secrets may stand in it
    draft.write_text(text)
    os.chown(draft, found.st_uid, found.st_gid)
    draft.chmod(stat.S_IMODE(found.st_mode))
    move_durably(draft, config)
