"""A folder with a release: a checkout, or what was unpacked of one. Nothing of its code is run to read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from appliance import levels
from appliance.errors import CannotStart

_VERSION = re.compile(r'(?m)^__version__ = "([0-9][0-9A-Za-z.+-]*)"$')
_CONTENTS = Path("deploy", "contents")


class Release(NamedTuple):
    folder: Path
    version: str
    level: int
    contents: list[str]
    """Paths that an installation consists of."""

    def is_older_than(self, other: Release) -> bool:
        return _order(self.version) < _order(other.version)


def read(folder: Path) -> Release:
    """Raises CannotStart when it holds none, or not all of one."""
    try:
        version = _VERSION.search((folder / "appliance" / "__init__.py").read_text())
        lines = (folder / _CONTENTS).read_text().splitlines()
    except OSError as fault:
        raise CannotStart(
            f"{folder} holds no release ({fault.filename}: {fault.strerror});"
            " next: name the folder of a checkout, or of an unpacked release"
        ) from None
    contents = [line for line in lines if line and not line.startswith("#")]
    missing = [name for name in contents if not (folder / name).exists()]
    if version is None or missing:
        what = missing[0] if missing else "a version"
        raise CannotStart(f"{folder} is no whole release: {what} is missing; next: fetch it again")
    if outside := [name for name in contents if Path(name).is_absolute() or ".." in Path(name).parts]:
        raise CannotStart(f"{folder / _CONTENTS} names {outside[0]}, which lies outside")
    return Release(folder, version[1], levels.of_code(folder), contents)


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))
