"""Where this process stands among the kernel's cgroups: what is mounted, and where it is in each.

Formats: proc_pid_mountinfo(5) and cgroups(7). A container may see its own part of a hierarchy only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SELF = Path("/proc/self")


class Hierarchy(NamedTuple):
    """One mounted hierarchy; `own` is the cgroup of this process, at or below `mount`."""

    version: int
    controllers: frozenset[str]
    mount: Path
    own: Path

    def upwards(self) -> Iterator[Path]:
        """From our own cgroup up to the top of what is mounted."""
        folder = self.own
        while folder != self.mount:
            yield folder
            folder = folder.parent
        yield folder


def find_all(proc: Path = SELF) -> list[Hierarchy]:
    """Every hierarchy that is mounted here and that the process (/proc/PID) is in."""
    try:
        mounts, groups = (proc / "mountinfo").read_text(), (proc / "cgroup").read_text()
    except OSError:
        return []
    places = dict(_places(groups))
    found = (_hierarchy(line, places) for line in mounts.splitlines())
    return [each for each in found if each]


def _places(text: str) -> Iterator[tuple[str, str]]:
    """Controller ('' for version 2) and the path that the kernel gives, from lines `4:memory:/a/b`."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            yield name, path


def _hierarchy(line: str, places: dict[str, str]) -> Hierarchy | None:
    front, _, back = line.partition(" - ")
    root, mount = map(_unescape, front.split()[3:5])
    kind, _, options = back.split(" ", 2)
    if kind == "cgroup2":
        names, path, version = frozenset[str](), places.get(""), 2
    elif kind == "cgroup":
        names = frozenset(options.split(",")) & places.keys()
        path, version = next((places[name] for name in names), None), 1
    else:
        return None
    own = _below(path, root, Path(mount))
    if own is None:
        return None
    return Hierarchy(version, names if version == 1 else _read_controllers(own), Path(mount), own)


def _below(path: str | None, root: str, mount: Path) -> Path | None:
    """Where the kernel's path is on this mount, which shows what is below `root`; None when it is outside."""
    if path is None or not PurePosixPath(path).is_relative_to(root) or ".." in path.split("/"):
        return None
    return mount / PurePosixPath(path).relative_to(root)


def _read_controllers(own: Path) -> frozenset[str]:
    try:
        return frozenset((own / "cgroup.controllers").read_text().split())
    except OSError:
        return frozenset()


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
