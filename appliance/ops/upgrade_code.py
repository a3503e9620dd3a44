"""The newer code, made ready beside the one that runs: files, packages, what an installation has besides.

A virtual environment knows its place, and is to work where the older code lies now. One whose pins are the
same is taken over by second names of its files, which say that place already; one that is made anew is told
it afterwards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.disk import write_durably
from appliance.errors import CannotStart
from appliance.ops.release import Release
from appliance.settings import HOME

LOCKS: Final = {".venv": "runtime", ".venv-mongo": "mongo"}
"""What scripts/setup makes, and of what."""
MARK: Final = ".not-committed"
"""In the newer code, until it is what stays: so one knows which of the two lies where."""


def python(home: Path) -> Path:
    return home / ".venv" / "bin" / "python"


def to_be_made(there: Release) -> list[str]:
    """Virtual environments whose pins have changed, of those that are here."""
    return [name for name in LOCKS if (HOME / name).exists() and not _is_same(there, name)]


def prepare(there: Release, code: Path, say: Callable[[str], None]) -> None:
    """Raises CannotStart with what is wrong, OSError."""
    _copy(there, code)
    (code / MARK).touch()
    kept = [name for name in LOCKS if (HOME / name).exists() and _is_same(there, name)]
    for each in sorted(HOME.iterdir()):
        if not (code / each.name).exists() and (each.name in kept or each.name not in LOCKS):
            _take_over(each, code / each.name)
    for name in kept:
        if not (code / name).is_symlink():
            write_durably(code / name / "ready", _stamp(there, name, code), mode=0o644)
    say("code is copied" + (f"; taken over: {', '.join(kept)}" if kept else ""))
    _set_up(code, say)
    for name in LOCKS:
        if (code / name).is_dir() and not (code / name).is_symlink():
            _tell_its_place(code / name, code)
    os.sync()


def _copy(there: Release, code: Path) -> None:
    """As scripts/install does. Raises CannotStart."""
    if code.exists():
        shutil.rmtree(code)
    code.mkdir(mode=0o755)
    packing = subprocess.Popen(
        ["tar", "-C", str(there.folder), "-c", "--exclude=__pycache__", "--owner=0", "--group=0",
         "--mode=u+rw,go+rX,go-w", "-T", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    unpacking = subprocess.Popen(["tar", "-C", str(code), "-x"], stdin=packing.stdout)
    if packing.stdout and packing.stdin:
        packing.stdout.close()
        with packing.stdin as names:
            names.write("".join(f"{name}\n" for name in there.contents).encode())
    if packing.wait() or unpacking.wait():
        raise CannotStart(f"{there.folder} could not be copied to {code}; see above")


def _take_over(source: Path, to: Path) -> None:
    """Second names: they take no room, and neither code writes into them."""
    if source.is_symlink():
        to.symlink_to(source.readlink())
    elif source.is_dir():
        told = subprocess.run(
            ["cp", "-al", str(source), str(to)], capture_output=True, text=True, check=False
        )
        if told.returncode:
            raise CannotStart(f"{source} could not be taken over: {told.stderr.strip()[-300:]}")
    elif source.is_file():
        shutil.copy2(source, to)


def _set_up(code: Path, say: Callable[[str], None]) -> None:
    lines = []
    with subprocess.Popen(
        [str(code / "scripts" / "setup"), "runtime"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as setup:  # fmt: skip
        for line in setup.stdout or ():
            lines.append(line.rstrip())
            say(lines[-1])
    if setup.returncode:
        raise CannotStart(f"the newer code could not be set up: {' '.join(lines[-3:]) or setup.returncode}")


def _tell_its_place(venv: Path, code: Path) -> None:
    """Wherever it says where it was made, it says where it will lie."""
    found, wanted = os.fsencode(code), os.fsencode(HOME)
    texts = [path for path in (venv / "bin").iterdir() if path.is_file() and not path.is_symlink()]
    texts += [venv / "pyvenv.cfg", venv / "ready", *venv.glob("lib/*/site-packages/*.pth")]
    for path in texts:
        content = path.read_bytes() if path.is_file() else b""
        if found in content and (
            path.parent.name != "bin" or content.startswith(b"#!") or b"VIRTUAL_ENV" in content
        ):
            write_durably(path, content.replace(found, wanted), mode=path.stat().st_mode & 0o777)


def _is_same(there: Release, name: str) -> bool:
    """As scripts/setup judges it, which also looks whether Python is the same."""
    try:
        return (HOME / name / "ready").read_text() == _stamp(there, name, HOME)
    except OSError:
        return False


def _stamp(there: Release, name: str, home: Path) -> str:
    lock = there.folder / "deploy" / "requirements" / f"{LOCKS[name]}.txt"
    return f"{home} {hashlib.sha256(lock.read_bytes()).hexdigest()}  -\n"
