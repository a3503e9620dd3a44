"""A password of a server of ours, while it is replaced: from `prepare` to `drop` the server takes two.

    password ──prepare──▶ + password.next ──swap──▶ + password.previous ──drop──▶ password

Contract: each step is one rename or less, and may be done again. Killed anywhere, `accepted` names what the
server has to take and the next rotation goes on; a start, when nobody holds the old one, ends it (`settle`).
"""

from __future__ import annotations

import secrets
from pathlib import Path

from appliance import disk
from appliance.addresses import read_line


class Pair:
    """The files of one password."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.next = path.with_name(f"{path.name}.next")
        self.previous = path.with_name(f"{path.name}.previous")

    @property
    def is_changing(self) -> bool:
        return self.next.exists() or self.previous.exists()

    def accepted(self) -> list[str]:
        """What the server must take now, each once. Raises CannotStart before the first start."""
        found = [read_line(path) for path in (self.path, self.next, self.previous) if path.exists()]
        return list(dict.fromkeys(found or [read_line(self.path)]))

    def prepare(self) -> None:
        """A new one beside, unless one is on its way already."""
        if not self.is_changing:
            disk.write_durably(self.next, f"{new_password()}\n")

    def swap(self) -> None:
        """Clients that start from now on use the new one."""
        if not self.next.exists():
            return
        disk.write_durably(self.previous, self.path.read_bytes())
        disk.move_durably(self.next, self.path)

    def drop(self) -> None:
        """Nobody holds the old one any more."""
        self.previous.unlink(missing_ok=True)
        disk.sync_folder(self.path.parent)

    def settle(self) -> None:
        """End a rotation that was cut short. Call while neither the server nor a client runs."""
        if self.next.exists():
            disk.move_durably(self.next, self.path)
        self.drop()


def new_password() -> str:
    """It begins with eight digits that name its user, where a server knows users (`addresses.user_of`)."""
    return f"{secrets.token_hex(4)}.{secrets.token_urlsafe(32)}"
