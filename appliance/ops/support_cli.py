"""`appliance support`: one file for whoever helps."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from appliance.errors import CannotStart
from appliance.ops.command_line import Commands, add_command, add_json, add_quiet

STDOUT = "-"


def add(commands: Commands) -> None:
    support = add_command(
        commands, "support", _support, "one file for whoever helps, without secrets and personal data"
    )
    # The file is made as who calls, who may write where he stands; the rest as the data folder's owner.
    support.set_defaults(as_owner=False)
    support.add_argument(
        "--output", metavar="FILE", help="default: appliance-support-<moment>.tar.gz; -: stdout"
    )
    support.add_argument(
        "--since", metavar="WHEN", default="24h", help="of logs: 15m, 2h, 3d or an RFC 3339 time"
    )
    add_quiet(support)
    add_json(support)


def _support(chosen: argparse.Namespace) -> int:
    where = chosen.output or f"appliance-support-{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}.tar.gz"
    if where == STDOUT and chosen.json:
        raise CannotStart("stdout cannot have both the file and JSON; next: --output FILE")
    with _opened(where) as write:
        if os.geteuid() == 0:
            from appliance.runtime import ownership

            ownership.step_down()
        from appliance.ops import progress, support

        told = progress.of("parts", quiet=chosen.quiet or chosen.json)
        return support.run(write, where, chosen.since, as_json=chosen.json, told=told)


@contextlib.contextmanager
def _opened(where: str) -> Iterator[Callable[[bytes], None]]:
    """A new file of mode 0600, which is taken away again unless all goes well. Raises CannotStart."""
    if where == STDOUT:
        yield _to_stdout
        return
    path = Path(where)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise CannotStart(f"{path}: {fault.strerror}; next: --output FILE, in a place of yours") from None

    def write(content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)

    try:
        yield write
    except BaseException:
        os.ftruncate(descriptor, 0)
        with contextlib.suppress(OSError):  # who has stepped down may not: then it is empty
            path.unlink()
        raise
    finally:
        os.close(descriptor)


def _to_stdout(content: bytes) -> None:
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
