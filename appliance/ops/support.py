"""`appliance support`: one file for whoever helps, of what is there, and without what is nobody's business.

    parts, each with its deadline ──▶ masked ──▶ looked through for secrets once more ──▶ manifest ──▶ written

Contract: whatever is down or broken, there is a file, and its `manifest.json` says what is in it, how often
what was masked there, and what could not be had. It has some MiB at most, and is made in two minutes at most.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import hashlib
import io
import json
import os
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from appliance import settings
from appliance.clock import rfc3339, utc_now
from appliance.errors import CannotStart, SettingError
from appliance.ops import instance, support_logs, support_parts, support_secrets
from appliance.ops.progress import Told
from appliance.ops.support_mask import Mask
from appliance.ops.support_parts import Files, Here
from appliance.ops.table import print_table, size
from appliance.settings import Settings

MANIFEST: Final = "manifest.json"
PART_SECONDS: Final = 20.0
ALL_SECONDS: Final = 120.0
FILE_BYTES: Final = 1024 * 1024
_LOOKED_AT: Final = 4 * FILE_BYTES
ALL_BYTES: Final = 16 * 1024 * 1024
FORMAT: Final = 1


class Bundle(NamedTuple):
    content: bytes
    manifest: dict[str, Any]


def run(write: Callable[[bytes], None], where: str, since: str, *, as_json: bool, told: Told) -> int:
    """1 when a part could not be had. Raises CannotStart, SettingError where no data folder is named."""
    now = utc_now()
    made = make(_look(), _since(since), now, told)
    try:
        write(made.content)
    except OSError as fault:
        hint = "name a place on another disk: --output FILE, or --output - > FILE"
        raise CannotStart(f"{where}: {os.strerror(fault.errno or errno.EIO)}; next: {hint}") from None
    if as_json:
        print(json.dumps({"path": where, "bytes": len(made.content), **made.manifest}, indent=2))
    else:
        _show(made, where)
    return 1 if made.manifest["failed"] else 0


def _since(text: str) -> dt.datetime:
    """Raises CannotStart."""
    from appliance.ops import logs

    return dt.datetime.fromtimestamp(logs.parse_since(text), dt.UTC)


def _look() -> Settings:
    """What runs, else what is asked for, else the data folder alone. Raises SettingError."""
    with contextlib.suppress(SettingError, CannotStart):
        if (running := instance.find_running()) is not None:
            return running
    try:
        return settings.load()
    except SettingError:
        data = settings.find_data()
        return settings.load({"APPLIANCE_DATA": str(data)}, dotenv=Path("/nonexistent"))


def make(
    chosen: Settings,
    since: dt.datetime,
    now: dt.datetime,
    told: Told,
    *,
    parts: Mapping[str, support_parts.Part] = support_parts.PARTS,
    seconds: float = PART_SECONDS,
) -> Bundle:
    """Raises CannotStart when a secret would be in it all the same."""
    here = Here(chosen, since)
    mask = Mask(support_secrets.find(here.paths))
    failed: list[dict[str, str]] = []
    files: dict[str, tuple[bytes, dict[str, Any]]] = {}
    until = time.monotonic() + ALL_SECONDS
    for number, (name, look) in enumerate(parts.items(), 1):
        found = _within(look, here, min(seconds, until - time.monotonic()))
        if isinstance(found, str):
            failed.append({"part": name, "fault": mask(support_logs.told(found))})
        else:
            for path, text in found.items():
                files[path] = _masked(mask, text, sum(len(raw) for raw, _ in files.values()))
        told(number, len(parts))
    manifest = {
        "format": FORMAT,
        "made_at": rfc3339(now),
        "since": rfc3339(since),
        "files": [{"name": name, **about} for name, (_, about) in files.items()],
        "failed": failed,
    }
    contents = {MANIFEST: (json.dumps(manifest, indent=2) + "\n").encode()}
    contents |= {name: raw for name, (raw, _) in files.items()}
    _check(files, mask)
    return Bundle(_packed(contents, now), manifest)


def _within(look: support_parts.Part, here: Here, seconds: float) -> Files | str:
    """What it gives, or why it does not. One that hangs is left to itself: it ends with the command."""
    results: list[Files | str] = []

    def work() -> None:
        try:
            results.append(look(here))
        except Exception as fault:  # whatever it is, the others go on
            results.append(f"{type(fault).__name__}: {fault}")

    if seconds <= 0:
        return "left out: the others took all the time there is"
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return results[0] if results else f"it did not end within {seconds:.0f} s"


def _masked(mask: Mask, text: str, there: int) -> tuple[bytes, dict[str, Any]]:
    mask.counts.clear()
    is_long = len(text) > _LOOKED_AT
    if is_long:  # a line that is cut in two may hold half of a secret
        text = text[-_LOOKED_AT:].partition("\n")[2]
    raw = mask(text).encode("utf-8", "replace")
    room = max(0, min(FILE_BYTES, ALL_BYTES - there))
    kept = raw[-room:] if room else b""
    about = {
        "bytes": len(kept),
        "sha256": hashlib.sha256(kept).hexdigest(),
        "cut": is_long or len(kept) < len(raw),
        "masked": {kind: count for kind, count in sorted(mask.counts.items()) if count},
    }
    return kept, about


def _check(files: Mapping[str, tuple[bytes, Any]], mask: Mask) -> None:
    """Once more, in what is written: a slip of the mask must not leave the machine."""
    for name, (raw, _) in files.items():
        if mask.finds(raw.decode("utf-8", "replace")):
            raise CannotStart(
                f"a secret would have been in {name}, so nothing was written; please report this"
            )


def _packed(contents: Mapping[str, bytes], now: dt.datetime) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, raw in contents.items():
            entry = tarfile.TarInfo(f"appliance-support/{name}")
            entry.size, entry.mode, entry.mtime = len(raw), 0o600, int(now.timestamp())
            tar.addfile(entry, io.BytesIO(raw))
    return packed.getvalue()


def _show(made: Bundle, where: str) -> None:
    """On stderr, where stdout may be the file itself."""
    rows = [
        (
            each["name"],
            size(each["bytes"]),
            ", ".join(f"{count} {kind}" for kind, count in each["masked"].items()),
        )
        for each in made.manifest["files"]
    ]
    with contextlib.redirect_stdout(sys.stderr if where == "-" else sys.stdout):
        print_table(("FILE", "SIZE", "MASKED"), rows)
        for each in made.manifest["failed"]:
            print(f"without {each['part']}: {each['fault']}")
        print(f"\n{where}: {size(len(made.content))}; look through it before you give it away: tar -xzf FILE")
