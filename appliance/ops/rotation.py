"""`appliance secrets rotate`: another value for a secret, while everything runs.

What is ours is made anew; what comes from outside is not touched: it is said what to change where, and the
new value is taken when it is there. Each way may be killed anywhere and is ended by the same command, or by
the next start.
"""

from __future__ import annotations

import datetime as dt
import errno

from appliance import disk, secret_ages, secret_files, settings
from appliance.addresses import Paths
from appliance.backups import keys as backup_keys
from appliance.errors import CannotStart
from appliance.known_secrets import NAMES
from appliance.ops import inside, outside_secrets, parent, reload, server_passwords
from appliance.ops.outside_secrets import ROTATED_AS, Outside
from appliance.security import key_files, keyring
from appliance.services import admin_password
from appliance.settings import Settings

ALL = "all"
_SERVERS = ("database", "redis")
_PLACES = ("MONGODB_URI", "REDIS_URL")
_SETTING = {rotated: name for name, rotated in ROTATED_AS.items()}


def run(name: str) -> int:
    """1 when something is left to do. Raises CannotStart, SettingError."""
    chosen = settings.load()
    paths = Paths(chosen.data)
    if not paths.secrets.is_dir():
        raise CannotStart(f"{paths.secrets} is missing; run ./scripts/up, which creates it")
    try:
        with disk.only_one(paths.secrets) as alone:
            if not alone:
                raise CannotStart("another rotation is under way; next: wait for its end")
            try:
                return _all(chosen) if name == ALL else _one(chosen, name)
            finally:
                secret_ages.note(paths)
    except OSError as fault:
        raise CannotStart(_words(paths, fault, name)) from None


def _words(paths: Paths, fault: OSError, name: str) -> str:
    where = fault.filename2 or fault.filename or paths.secrets
    mend = f"df -h '{paths.secrets}'; lsattr -d '{where}'; ls -la '{paths.secrets}'"
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        mend = f"make room: df -h '{paths.secrets}'"
    return (
        f"{where}: {fault.strerror or fault}; what was replaced before that stays so, and all that was in use"
        f" still opens; next: {mend}; then: ./scripts/appliance secrets rotate {name}"
    )


def _one(chosen: Settings, name: str) -> int:
    given = _find_outside(chosen, name)
    if given is not None:
        return _take(chosen, given)
    if name in _SERVERS:
        return int(not server_passwords.replace(chosen, [name], print))
    _ours(chosen, name)
    return 0


def _all(chosen: Settings) -> int:
    """What is ours first; those of servers last, since they take a reload, and one for both."""
    left, servers = 0, []
    for name in NAMES:
        given = _find_outside(chosen, name)
        if given is not None:
            if given.is_new and not given.from_environment:
                left |= _take(chosen, given)
            elif given.name != "APPLIANCE_ADMIN_PASSWORD":
                print(outside_secrets.advice(given))
                left = 1
        elif name in _SERVERS:
            servers.append(name)
        elif name == "admin":
            _admin_if_unchanged(chosen)
        elif name != "smtp":
            _ours(chosen, name)
    return left | int(bool(servers) and not server_passwords.replace(chosen, servers, print))


def _find_outside(chosen: Settings, name: str) -> Outside | None:
    setting = _SETTING.get(name)
    return outside_secrets.find(Paths(chosen.data), setting) if setting else None


def _take(chosen: Settings, given: Outside) -> int:
    """The new value where it is there, by a reload. Raises CannotStart where it is not."""
    if parent.find(Paths(chosen.data)) is None:
        print(f"{given.name} comes from {given.source}: the next start takes what is there then")
        return 0
    if not given.is_new or given.from_environment:
        raise CannotStart(outside_secrets.advice(given))
    if not outside_secrets.is_steady(given.name):
        raise CannotStart(
            f"{given.name}: {given.source} gives another value each time it is asked, and all programs need"
            " the same; nothing was changed; next: have it print what is kept there"
        )
    if status := reload.run():
        return status
    still = outside_secrets.find(Paths(chosen.data), given.name)
    if still is not None and still.is_new:
        raise CannotStart(
            f"{given.name} names another place, not another password; next: restart the appliance"
            if given.name in _PLACES
            else f"{given.name} has changed once more meanwhile;"
            f" next: ./scripts/appliance secrets rotate {ROTATED_AS[given.name]}"
        )
    print(f"{given.name}: the new value is used; now the old one may be taken away where it was given out")
    return 0


def _ours(chosen: Settings, name: str) -> None:
    """Raises CannotStart."""
    paths = Paths(chosen.data)
    if name == "jwt":
        lifetime = dt.timedelta(hours=chosen.token_hours)
        active = next(key for key in keyring.rotate(paths.jwt_keys, lifetime) if key.state == "active")
        print(
            f"jwt: {active.kid} signs from now on;"
            " sessions go on, and the key before is dropped when they are over"
        )
    elif name == "cursors":
        key_files.open_keys(paths.cursor_key)
        key_files.add(paths.cursor_key)
        print("cursors: the new key signs in 5 s; what the one before has signed is read for 48 hours")
    elif name == "webhooks":
        _webhooks(paths)
    elif name == "backup":
        backup_keys.rotate(paths.backup_key)
        print(
            "backup: the new key writes, the others open what they wrote;"
            " next: keep it elsewhere too: ./scripts/appliance backup key"
        )
    elif name == "admin":
        inside.run(admin_password.rotate)
        print(f"admin: the new password of the first admin is in {paths.admin_password}; sessions go on")
    else:
        raise CannotStart("SMTP_URL is not set, so there is no password of a mail server")


def _webhooks(paths: Paths) -> None:
    key_files.open_keys(paths.webhook_key)
    if len(key_files.read(paths.webhook_key)) > 1:
        print("webhooks: their secrets are being sealed by a new key already, as long as the appliance runs")
        return
    key_files.add(paths.webhook_key)
    print("webhooks: a new key seals in 5 s; what the one before sealed is sealed anew, then it goes")


def _admin_if_unchanged(chosen: Settings) -> None:
    """A password that a person has chosen is not ours to replace."""
    paths = Paths(chosen.data)
    if parent.find(paths) is None:
        print("admin: left as it is, since the appliance does not run")
    elif secret_files.Pair(paths.admin_password).is_changing or inside.run(admin_password.is_of_file):
        _ours(chosen, "admin")
    else:
        print("admin: left as it is, since the admin has chosen another password")
