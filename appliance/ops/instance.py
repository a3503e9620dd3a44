"""The running appliance, as far as it differs from what this terminal's settings say.

Settings may have come by the environment of `up`, which other terminals do not share, or may have been
changed since.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance import processes, settings
from appliance.addresses import Paths
from appliance.errors import SettingError
from appliance.ops import service
from appliance.runtime import leftovers, records
from appliance.settings import HOME, Settings

_LISTEN = re.compile(r"^\s*listen \[?([0-9a-fA-F.:]+?)\]?:(\d+)( ssl)?\b.* backlog=", re.MULTILINE)

MEND = "correct it, then ./scripts/appliance reload"
ADVICE = f"settings in {HOME / '.env'} hold for every command"


def load() -> Settings:
    """This terminal's settings. Where they cannot be used: those of what runs, and that is said.

    Raises SettingError when nothing runs.
    """
    try:
        return settings.load()
    except SettingError as fault:
        running = find_running()
        if running is None:
            raise
        for line in (fault, f"what runs was started before that; next: {MEND}"):
            print(f"appliance: {line}", file=sys.stderr)
        return running


def find_running() -> Settings | None:
    """What holds for the appliance on this terminal's data folder; None when nothing runs there.

    Raises SettingError.
    """
    return _find(Paths(settings.find_data()))


def find_texts(paths: Paths) -> dict[str, settings.Found] | None:
    """Each setting as the appliance that runs on this folder was given it; None when nothing runs there."""
    environ = find_environ(paths)
    return None if environ is None else settings.find_texts(environ)


def find_held(paths: Paths) -> Settings | None:
    """What the programs read since the last start or reload; None when nothing runs on this folder.

    Raises SettingError.
    """
    environ = find_environ(paths)
    return None if environ is None else settings.load(environ)


def find_settings(chosen: Settings) -> Settings:
    """What holds for the appliance that runs on this data folder; `chosen` where that is unknown."""
    return _find(Paths(chosen.data)) or chosen


def differences(held: Settings, chosen: Settings) -> list[str]:
    """Settings in which the running appliance differs from `chosen`; secrets by their name only."""
    told = []
    for attribute, row in settings.rows().items():
        theirs, ours = getattr(held, attribute), getattr(chosen, attribute)
        if theirs != ours:
            values = "" if row.secret else f" {text(theirs)}, and {text(ours)} holds here"
            told.append(f"{row.name}{values}")
    return told


def describe_absence(data: Path) -> str:
    """Nothing runs on `data`: what to do, and where else this checkout runs."""
    told = f"the appliance is not running on {data}; next: {service.start_command()}"
    for other in find_elsewhere(data):
        told += f"\nit runs on {other}: {name_folder(other, HOME / '.env', os.environ)}"
    return told


def name_folder(data: Path, dotenv: Path, environ: Mapping[str, str]) -> str:
    """What to do so that commands find the appliance that runs there."""
    if "APPLIANCE_DATA" in environ:  # it would win over what stands in .env
        return f"set APPLIANCE_DATA={shlex.quote(str(data))} in this terminal, or unset it"
    return f"put APPLIANCE_DATA={shlex.quote(str(data))} into {dotenv}, so that every command finds it"


def find_elsewhere(data: Path) -> list[Path]:
    """Other data folders on which this checkout runs, as far as /proc lets us see."""
    found = {_find_data(pid) for pid in processes.all_pids()}
    return sorted(each for each in found if each and each != data)


def _find_data(pid: int) -> Path | None:
    """Of a supervisord of this checkout, which runs in its data folder's run/."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"supervisor.supervisord" in words and os.fsencode(HOME / "supervisord.conf") in words:
            return Path(f"/proc/{pid}/cwd").readlink().parent
    except OSError:
        pass  # ended meanwhile, or not ours to read
    return None


def _find(paths: Paths) -> Settings | None:
    environ = find_environ(paths)
    if environ is None:
        return None
    return replace(settings.load(environ), data=paths.data, **_doors(paths))


def find_environ(paths: Paths) -> dict[str, str] | None:
    """That supervisord was started with; None when nothing runs, or we may not look."""
    for record in records.read_all(paths):
        if record.program == leftovers.SUPERVISOR and processes.start_time(record.pid) == record.start_time:
            try:
                block = Path(f"/proc/{record.pid}/environ").read_bytes()
            except OSError:
                return None
            return parse_environ(block)
    return None


def parse_environ(block: bytes) -> dict[str, str]:
    """Of /proc/PID/environ."""
    pairs = (os.fsdecode(line).partition("=") for line in block.split(b"\0") if line)
    return {name: value for name, _, value in pairs}


def _doors(paths: Paths) -> dict[str, Any]:
    """From what nginx was given: it was rendered when it started, whatever the settings say since."""
    try:
        found = _LISTEN.findall((paths.run / "nginx.conf").read_text())
    except OSError:
        return {}
    plain = [(host, int(port)) for host, port, ssl in found if not ssl]
    secure = [int(port) for _, port, ssl in found if ssl]
    if not plain or not secure:
        return {}
    return {
        "bind": tuple(host for host, _ in plain),
        "http_port": plain[0][1],
        "https_port": secure[0],
    }


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "unset"
    return ", ".join(value) if isinstance(value, tuple) else str(value)
