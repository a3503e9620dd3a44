"""The password of the first admin that lies in a file, `secrets/admin_password`: replaced, and kept in step.

    a new one beside (`.next`) ──▶ its hash in the account ──▶ the file takes its place

Contract: killed in between, the scheduler ends it within seconds, or else the next start or rotation.
Sessions of the account go on.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from appliance import addresses, disk, secret_files
from appliance.addresses import Paths
from appliance.services.accounts import ADMIN
from appliance.services.context import Context
from appliance.stores import audit, transactions, users
from appliance.stores.mongo import Document

PATIENCE: Final = 60.0
"""Seconds after which the account surely has what a process that died had sent, or never will."""


async def is_of_file(context: Context) -> bool:
    """Whether the account still has the password of the file, rather than one that a person has chosen."""
    path = Paths(context.settings.data).admin_password
    user = await users.find_by_name(context.db, ADMIN)
    return user is not None and await _opens(context, user, path)


async def rotate(context: Context) -> None:
    """A new one, in the account and in the file. Raises NotFound where there is no account `admin`.

    Call while nobody else may come in between (`disk.only_one` of the folder).
    """
    path = Paths(context.settings.data).admin_password
    user = await users.get_by_name(context.db, ADMIN)
    if not _next(path).exists():
        disk.write_durably(_next(path), f"{secret_files.new_password()}\n")
    hashed = await context.passwords.hash(addresses.read_line(_next(path)))

    async def write(session: transactions.Session) -> None:
        found = await users.get(context.db, user["_id"], session)
        await users.change(context.db, session, found, {"password_hash": hashed, "reset": None})
        await audit.record(
            context.db, session, audit.Entry(None, "user.password_changed", user["_id"], {"by": "rotation"})
        )

    async with context.generations.changing(users.key(user["_id"])):
        await transactions.together(context.db, write)
    disk.move_durably(_next(path), path)


async def settle(context: Context, *, patience: float = 0.0) -> int:
    """The account tells how far a rotation came that was cut short; how many were ended. The new password
    that the account does not have goes after so many seconds.
    """
    path = Paths(context.settings.data).admin_password
    if not _next(path).exists():
        return 0
    with disk.only_one(path.parent) as alone:
        if not alone or not _next(path).exists():
            return 0  # it is being replaced at this moment, or looked at by another process
        user = await users.find_by_name(context.db, ADMIN)
        if user is None:
            return 0
        if await _opens(context, user, _next(path)):
            disk.move_durably(_next(path), path)
        elif abs(time.time() - _next(path).stat().st_mtime) >= patience:
            _next(path).unlink(missing_ok=True)
        else:
            return 0
        return 1


async def forget_erased(context: Context) -> None:
    """At a start: an erasure of the first admin that was cut short before its file went."""
    if await users.find_by_name(context.db, ADMIN) is None and await users.was_erased(context.db):
        forget(context)


def forget(context: Context) -> None:
    """The account is not there any more: nothing is opened by it. Safe to repeat."""
    path = Paths(context.settings.data).admin_password
    _next(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    disk.sync_folder(path.parent)


async def _opens(context: Context, user: Document, path: Path) -> bool:
    return await context.passwords.verify(user["password_hash"], addresses.read_line(path))


def _next(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")
