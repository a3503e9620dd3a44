"""What lies in the data folder: whose it is, what a restore has left midway, and on what kind of disk."""

from __future__ import annotations

import itertools
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from appliance.ops import service
from appliance.ops.findings import Fault, Situation, check
from appliance.runtime import place, preflight, swapping
from appliance.services import backups

MOST: Final = 100_000
"""Files that are looked at: more would take longer than anybody waits for a doctor."""
SHOWN: Final = 3
_LINKS: Final = frozenset({"models"})
"""Folders that have links by right: `appliance model use` makes them."""
_VOLATILE: Final = frozenset({"tmpfs", "ramfs"})
NETWORK: Final = ("nfs", "cifs", "smb", "9p", "ceph", "glusterfs", "afs", "fuse.sshfs", "fuse.s3fs")
_DRAFT_MARK: Final = ".restoring"


class _Odd(NamedTuple):
    strangers: list[Path]
    unreadable: list[Path]
    links: list[Path]
    ahead: bool
    """There is more than was looked at."""


@check("files-inside", "all that is in the data folder is the appliance's own")
def files_inside(situation: Situation) -> Iterator[Fault]:
    """A copy made as another user is found by a program in the middle of its work."""
    data = situation.paths.data
    if not data.is_dir():
        return
    owner = data.stat().st_uid
    odd = _look(data, owner)
    name = place.user(owner)
    if odd.strangers:
        yield (
            "error",
            f"{_some(odd.strangers)}: not of {name}, as the data folder is, so programs cannot write there",
            f"as root: chown -R {name} '{data}'",
        )
    if odd.unreadable:
        yield (
            "error",
            f"{_some(odd.unreadable)}: its owner may not read it",
            f"chmod u+rw '{odd.unreadable[0]}'",
        )
    if odd.links:
        yield (
            "warning",
            f"{_some(odd.links)}: a link that leads out of the data folder: no backup follows it",
            f"move what is there into its place, or remove it: rm '{odd.links[0]}'",
        )
    if odd.ahead:
        yield "ok", f"only the first {MOST} files of {data} were looked at", ""


def _look(data: Path, owner: int) -> _Odd:
    strangers, unreadable, links = list[Path](), list[Path](), list[Path]()
    entries = _walk(data)
    for path, status in itertools.islice(entries, MOST):
        if stat.S_ISLNK(status.st_mode):
            if path.parent.name not in _LINKS and not path.resolve().is_relative_to(data.resolve()):
                links.append(path)
        elif status.st_uid != owner and path.parent != data:  # those are told by data-folder
            strangers.append(path)
        elif not status.st_mode & stat.S_IRUSR and path.parent != data:
            unreadable.append(path)
    return _Odd(strangers, unreadable, links, next(entries, None) is not None)


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """All below it, in the order of names; links are not followed, and what goes meanwhile is left out."""
    for at, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted((*files, *folders)):
            path = Path(at, name)
            try:
                yield path, path.lstat()
            except FileNotFoundError:
                continue


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(map(str, paths[:SHOWN])) + more


@check("half-restored", "no restore was cut short")
def half_restored(situation: Situation) -> Iterator[Fault]:
    data = situation.paths.data
    if any(_is_locked(folder) for folder in (data, data.parent) if folder.is_dir()):
        return  # one is under way
    if swapping.is_begun(data):
        yield (
            "error",
            f"a restore into {data} was cut short while old and new changed places",
            f"{service.start_command()}, which ends it before anything else",
        )
        return
    for draft in (data / swapping.DRAFT, data.with_name(f".{data.name}.restoring")):
        if not draft.is_dir():
            continue
        if draft.name == swapping.DRAFT or (draft / _DRAFT_MARK).exists():
            meaning = f"a restore was cut short before it changed anything; {draft} is what it had made"
            yield "warning", meaning, f"restore again, which begins anew, or: rm -r '{draft}'"
        else:
            yield (
                "warning",
                f"a restore was cut short at its end: {draft} is what was there before it",
                f"when all is well: rm -r '{draft}'",
            )
    scratch = situation.paths.backups / backups.SCRATCH
    if scratch.is_dir() and not _is_locked(situation.paths.backups / ".lock"):
        yield (
            "warning",
            f"a drill was cut short, and has left {scratch}",
            "the next drill or start takes it away; at once: ./scripts/appliance backup drill",
        )


def _is_locked(path: Path) -> bool:
    """By anybody. The kernel is asked: to try would be to take it, and whoever wants it would be refused."""
    try:
        found = path.stat()
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return False
    mark = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    return any(mark in line.split() for line in lines)


@check("file-system", "the data folder is on a disk of this machine")
def file_system(situation: Situation) -> Iterator[Fault]:
    where = place.nearest(situation.paths.data).resolve()
    kind = kind_of(where, Path("/proc/self/mountinfo").read_text())
    if kind in _VOLATILE:
        yield (
            "warning",
            f"{where} is on {kind}, in memory: the next boot takes all of it",
            "stop, ./scripts/appliance move to a folder on a disk",
        )
    elif kind.startswith(NETWORK):
        yield (
            "warning",
            f"{where} is on {kind}: what the network's other end has promised to write may be lost with it",
            "./scripts/appliance move to a disk of this machine; backups may lie there",
        )


def kind_of(path: Path, mounts: str) -> str:
    """Of the file system that the path is on, as /proc/self/mountinfo tells (proc(5))."""
    best, kind = "", ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        mounted = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields.split()[4])
        if path.is_relative_to(mounted) and len(mounted) >= len(best):
            best, kind = mounted, rest.split()[0]
    return kind


@check("place", "the data folder can be where it is")
def can_be_there(situation: Situation) -> Iterator[Fault]:
    """The same that a start would refuse. What runs has been let in."""
    if situation.programs is not None:
        return
    data = situation.paths.data
    for fault in (*place.find_faults(data), *preflight.find_path_faults(data)):
        meaning, _, after = fault.partition("; next: ")
        if not after:
            meaning, _, after = fault.rpartition("; ")
        if "others can reach it" not in meaning:  # told by data-folder
            yield "error", meaning, after
