"""Secrets that come from outside: never written here. What to change where, and whether that was done."""

from __future__ import annotations

import os
from typing import NamedTuple

from appliance import settings, vault
from appliance.addresses import Paths
from appliance.ops import instance

ROTATED_AS = {
    "SECRET_KEY": "jwt",
    "MONGODB_URI": "database",
    "REDIS_URL": "redis",
    "SMTP_URL": "smtp",
    "APPLIANCE_ADMIN_PASSWORD": "admin",
}
"""What `secrets rotate` calls them."""
_ADVICE = {
    "SECRET_KEY": "put a new one there, such as from: openssl rand -hex 32",
    "MONGODB_URI": "make another user, or another password, in that MongoDB, and put it there;"
    " take the old one away when this command has taken the new one",
    "REDIS_URL": "give that Redis a second password (ACL SETUSER … >NEW), and put it there;"
    " take the old one away when this command has taken the new one",
    "APPLIANCE_ADMIN_PASSWORD": "it was used once, when the account `admin` was made; change that account's"
    " password by POST /auth/password, or unset it and run this again",
    "SMTP_URL": "have the mail server give you another password, and put it there",
}


class Outside(NamedTuple):
    name: str
    source: str
    """As a person finds it."""
    is_new: bool
    """What is there now is not what runs."""
    from_environment: bool


def find(paths: Paths, name: str) -> Outside | None:
    """As it is given from outside, here or to what runs; None when it is not. Raises SettingError."""
    here = settings.find_texts()[name]
    running = instance.find_texts(paths)
    there = running[name] if running is not None else None
    if here.text:
        is_new = there is not None and (there.text or "") != here.text
        return Outside(name, _place(here.source), is_new, here.source == "environment")
    if there is not None and there.text:
        return Outside(name, "the environment that ./scripts/up was started in", False, True)
    return None


def is_steady(name: str) -> bool:
    """Whether it is the same when it is asked for again. Raises SettingError."""
    before = settings.find_texts()[name].text
    vault.forget()
    return settings.find_texts()[name].text == before


def advice(found: Outside) -> str:
    """What to change where."""
    taken = (
        "restart the appliance: a process keeps the environment that it was started with"
        if found.from_environment
        else f"./scripts/appliance secrets rotate {ROTATED_AS[found.name]} once more"
    )
    head = f"{found.name} comes from {found.source}, which is never written here"
    return f"{head}: {_ADVICE[found.name]}; next: {taken}"


def _place(source: str) -> str:
    names = {"environment": "the environment", ".env": str(settings.find_dotenv(os.environ))}
    if source == settings.COMMAND:
        return "the command of SECRETS_COMMAND"
    return names.get(source, source)
