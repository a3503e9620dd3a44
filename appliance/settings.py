"""Every setting there is: one table, one way to read it.

A setting NAME is looked for, in this order, and the first source that has it wins:

1. the environment variable `NAME`
2. the file that the environment variable `NAME_FILE` names
3. the file `/run/secrets/<name in lower case>`
4. for the secrets that SECRETS_NAMES lists: what the command of SECRETS_COMMAND answers (`vault`)
5. a line `NAME=value` of the file `.env` beside pyproject.toml; for a program of the appliance, of `.env` as
   it was at the last start or reload (HELD names that copy): an edit holds for all at once, or for none
6. the default

A program of the appliance gets the secrets that are asked of a command, and those that only a restart
changes, from a file that was written at the last start or reload (HELD_SECRETS names it).

`NAME` and `NAME_FILE` together are an error, as is a value that does not parse: nothing starts on a guess.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from appliance import setting_kinds as to
from appliance import vault
from appliance.errors import SettingError

HOME = to.HOME
"""The checkout (or the image's copy of it): what holds appliance/, supervisord.conf and nginx.conf."""

HELD = "APPLIANCE_DOTENV"
"""The environment variable that names the file to read for `.env`."""
HELD_SECRETS = "APPLIANCE_HELD_SECRETS"
"""The environment variable that names the file with secrets as they were at the last start or reload."""
Effect = Literal["reload", "restart"]


def _secret_names(value: str) -> tuple[str, ...]:
    found, known = tuple(to.words(value)), [row.name for row in rows().values() if row.secret]
    for name in found:
        if name not in known:
            raise ValueError(f"{name!r} is none of {', '.join(known)}")
    return found


class Row(NamedTuple):
    """What the table says of one setting."""

    name: str
    default: str | None
    parse: Callable[[str], Any]
    help: str
    effect: Effect
    secret: bool


def _row(
    name: str,
    default: str | None,
    parse: Callable[[str], Any],
    help: str,
    effect: Effect = "reload",
    *,
    secret: bool = False,
) -> Any:
    """ "restart" is what the supervisor, the stores or the budget stand on: `up` holds it until it ends."""
    return dataclasses.field(metadata={"row": Row(name, default, parse, help, effect, secret)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table. `None` stands for 'not given'."""

    data: Path = _row("APPLIANCE_DATA", "./var", to.folder, "the folder that all state lies below", "restart")
    http_port: int = _row(
        "APPLIANCE_HTTP_PORT", "8080", to.port, "plain HTTP; redirects to HTTPS except on loopback"
    )
    https_port: int = _row("APPLIANCE_HTTPS_PORT", "8443", to.port, "HTTPS")
    tls_certificate: Path | None = _row(
        "APPLIANCE_TLS_CERTIFICATE",
        None,
        to.pem,
        "the PEM file of your own certificate, then those that signed it; default: a self-signed one",
    )
    # Not that a path is secret: but one who puts the key itself there must not find it in a log.
    tls_key: Path | None = _row("APPLIANCE_TLS_KEY", None, to.pem, "the PEM file of its key", secret=True)
    hsts: str = _row(
        "APPLIANCE_HSTS",
        "auto",
        to.hsts,
        "whether browsers are told to come by HTTPS only: auto (under a trusted certificate), on, off",
    )
    acme_domains: tuple[str, ...] = _row(
        "ACME_DOMAINS", "", to.domains, "names to get a certificate for from an ACME service, by http-01"
    )
    acme_email: str | None = _row("ACME_EMAIL", None, to.mail_address, "where that service may write to")
    acme_directory: str = _row(
        "ACME_DIRECTORY",
        "https://acme-v02.api.letsencrypt.org/directory",
        to.directory,
        "the ACME service, by the address of its directory",
    )
    acme_agree_tos: bool = _row(
        "ACME_AGREE_TOS", "off", to.switch, "on: you agree to the terms of service of that service"
    )
    bind: tuple[str, ...] = _row(
        "APPLIANCE_BIND",
        "127.0.0.1",
        to.addresses,
        "addresses that nginx listens on, separated by commas",
        "restart",
    )
    port_base: int | None = _row(
        "APPLIANCE_PORT_BASE",
        None,
        to.whole(1024, 65000),
        "the first of the six inner ports on 127.0.0.1; default: 8000, 9090, 9093, 9100, 9121, 8001",
        "restart",
    )
    monitoring: bool = _row(
        "APPLIANCE_MONITORING",
        "on",
        to.switch,
        "whether Prometheus, Alertmanager and their exporters run",
        "restart",
    )
    trusted_proxies: tuple[str, ...] = _row(
        "APPLIANCE_TRUSTED_PROXIES",
        "",
        to.networks,
        "networks whose X-Forwarded-For and -Proto are believed",
    )
    cpus: int | None = _row(
        "APPLIANCE_CPUS", None, to.whole(1, 4096), "CPUs of the budget; default min(host, 16)", "restart"
    )
    memory: int | None = _row(
        "APPLIANCE_MEMORY",
        None,
        to.size,
        "memory of the budget, such as 8G; default min(host, 16G)",
        "restart",
    )
    user: str | None = _row(
        "APPLIANCE_USER",
        None,
        to.user,
        "the user that all programs run as, when root starts them",
        "restart",
    )
    mongodb_uri: str | None = _row(
        "MONGODB_URI",
        None,
        to.mongodb_uri,
        "use this MongoDB; the embedded one stays off",
        "restart",
        secret=True,
    )
    redis_uri: str | None = _row(
        "REDIS_URL",
        None,
        to.redis_url,
        "use this Redis; the embedded one stays off",
        "restart",
        secret=True,
    )
    mongo_kind: str = _row(
        "APPLIANCE_MONGO",
        "auto",
        to.mongo_kind,
        "embedded server: mongod, secantusdb, or auto (a mongod on PATH, else SecantusDB)",
        "restart",
    )
    admin_password: str | None = _row(
        "APPLIANCE_ADMIN_PASSWORD",
        None,
        to.password,
        "password of the first admin; default: generated once into secrets/admin_password",
        "restart",
        secret=True,
    )
    secret_key: str | None = _row(
        "SECRET_KEY",
        None,
        to.signing_key,
        "if set, the first active key that tokens are signed with",
        secret=True,
    )
    smtp_url: str | None = _row(
        "SMTP_URL",
        None,
        to.smtp_url,
        "the mail server, such as smtp://user:password@host:587 or smtps://…; none: no e-mail is sent",
        secret=True,
    )
    smtp_from: str = _row(
        "SMTP_FROM", "forms@localhost", to.mail_address, "the address that e-mail comes from"
    )
    alert_email: tuple[str, ...] = _row(
        "ALERT_EMAIL",
        "",
        to.mail_addresses,
        "addresses that hear of warnings and what is worse, by SMTP_URL",
    )
    alert_slack_url: str | None = _row(
        "ALERT_SLACK_URL",
        None,
        to.web_address,
        "the incoming webhook of a Slack channel (or what takes the same) that hears of them",
        secret=True,
    )
    alert_pagerduty_key: str | None = _row(
        "ALERT_PAGERDUTY_KEY",
        None,
        to.integration_key,
        "the integration key of a PagerDuty service (Events API v2) that hears of critical ones",
        secret=True,
    )
    alert_pagerduty_url: str = _row(
        "ALERT_PAGERDUTY_URL",
        "https://events.pagerduty.com/v2/enqueue",
        to.web_address,
        "where PagerDuty's events go",
    )
    alert_sms_url: str | None = _row(
        "ALERT_SMS_URL",
        None,
        to.web_address,
        "a webhook that hears of critical ones, such as one that sends text messages",
        secret=True,
    )
    alert_watchdog_url: str | None = _row(
        "ALERT_WATCHDOG_URL",
        None,
        to.web_address,
        "a dead man's switch: called about every five minutes, so that its silence is what tells",
        secret=True,
    )
    alert_group: int = _row(
        "ALERT_GROUP",
        "30s",
        to.span(1, 600),
        "what begins within that time is one message",
    )
    alert_repeat: int = _row(
        "ALERT_REPEAT",
        "4h",
        to.span(5, 7 * 86400),
        "what still is, and was not acknowledged, is told again after that time",
    )
    egress_allow: tuple[str, ...] = _row(
        "EGRESS_ALLOW",
        "",
        to.networks,
        "networks that webhooks may reach although not public, over http too",
    )
    ai_model: Path | None = _row(
        "AI_MODEL", None, to.path, "the GGUF file of the language model; default: the one that came along"
    )
    embedding_model: Path | None = _row(
        "EMBEDDING_MODEL",
        None,
        to.path,
        "the GGUF file that makes vectors of texts; default: the one that came along",
    )
    ai_context: int = _row(
        "AI_CONTEXT",
        "4096",
        to.whole(512, 131_072),
        "tokens that a conversation may have, its answer included",
    )
    ai_idle_minutes: int = _row(
        "AI_IDLE_MINUTES",
        "15",
        to.whole(1, 100_000),
        "minutes without a question after which models are unloaded",
    )
    ai_filters: tuple[str, ...] = _row(
        "AI_FILTERS",
        "control,echo,length",
        to.filters,
        "what is applied to generated text: control, echo, length, mail, iban, phone",
    )
    ai_drafts: str = _row(
        "AI_DRAFTS",
        "auto",
        to.drafts,
        "whether analyses have the language model write drafts: auto (from a billion parameters on), on, off",
    )
    ai_waiting: int = _row(
        "AI_WAITING",
        "8",
        to.whole(1, 1000),
        "questions that may wait for the model; more are told to come back",
    )
    analytics_cron: str = _row(
        "ANALYTICS_CRON",
        "0 2 * * *",
        to.cron,
        "when the analytics are brought up to date, as in man 5 crontab",
    )
    analytics_time_zone: str = _row(
        "ANALYTICS_TIME_ZONE",
        "UTC",
        to.zone,
        "of that time, such as Europe/Berlin",
    )
    backup_cron: str | None = _row(
        "BACKUP_CRON",
        "30 3 * * *",
        to.cron_or_off,
        "when a backup is made, as in man 5 crontab; empty: never",
    )
    backup_time_zone: str = _row(
        "BACKUP_TIME_ZONE", "UTC", to.zone, "of the times of backups and drills, such as Europe/Berlin"
    )
    backup_folder: Path | None = _row(
        "BACKUP_FOLDER", None, to.path, "where backups are kept; default: backups/ of the data folder"
    )
    backup_keep_daily: int = _row(
        "BACKUP_KEEP_DAILY", "7", to.whole(1, 3650), "so many days back, the newest backup of each is kept"
    )
    backup_keep_weekly: int = _row(
        "BACKUP_KEEP_WEEKLY", "4", to.whole(0, 520), "and that of each of so many weeks"
    )
    backup_drill_cron: str | None = _row(
        "BACKUP_DRILL_CRON",
        "30 4 * * 0",
        to.cron_or_off,
        "when the newest backup is restored aside and compared; empty: never",
    )
    cors_origins: tuple[str, ...] = _row(
        "APPLIANCE_CORS_ORIGINS",
        "",
        to.origins,
        "origins whose pages may call the API, separated by commas",
    )
    token_hours: int = _row(
        "APPLIANCE_TOKEN_HOURS", "24", to.whole(1, 8760), "hours that a login's token is valid"
    )
    rate_limit: bool = _row("RATE_LIMIT", "on", to.switch, "off switches every limit off, for load tests")
    limit_requests: int = _row(
        "APPLIANCE_LIMIT_REQUESTS",
        "20",
        to.whole(1, 100_000),
        "requests a second of one address; bursts of twice that",
    )
    limit_writes: int = _row(
        "APPLIANCE_LIMIT_WRITES",
        "600",
        to.whole(1, 1_000_000),
        "changes a minute by one account, its keys included",
    )
    limit_submits: int = _row(
        "APPLIANCE_LIMIT_SUBMITS",
        "60",
        to.whole(1, 1_000_000),
        "answers a minute of strangers, by form and address",
    )
    limit_uploads: int = _row(
        "APPLIANCE_LIMIT_UPLOADS",
        "60",
        to.whole(1, 1_000_000),
        "files a minute of strangers, by form and address",
    )
    limit_partials: int = _row(
        "APPLIANCE_LIMIT_PARTIALS",
        "120",
        to.whole(1, 1_000_000),
        "half-filled responses that strangers save or read a minute, by form and address",
    )
    limit_logins: int = _row(
        "APPLIANCE_LIMIT_LOGINS",
        "5",
        to.whole(1, 10_000),
        "logins a minute of one account; of one address four times that",
    )
    upload_mb: int = _row(
        "APPLIANCE_UPLOAD_MB", "20", to.whole(1, 10_000), "MiB that one uploaded file may have"
    )
    form_files_mb: int = _row(
        "APPLIANCE_FORM_FILES_MB",
        "10240",
        to.whole(1, 100_000_000),
        "MiB that the files of one form may have together",
    )
    address_share: int = _row(
        "APPLIANCE_ADDRESS_SHARE",
        "10",
        to.whole(1, 100),
        "percent of a form's room that one address may take with what it has not submitted",
    )
    partial_days: int = _row(
        "APPLIANCE_PARTIAL_DAYS",
        "30",
        to.whole(1, 3650),
        "days that a half-filled response is kept after its last change",
    )
    purge_deleted_days: int = _row(
        "PURGE_DELETED_DAYS",
        "30",
        to.whole(1, 36_500),
        "days that deleted responses and forms can be restored before they are purged",
    )
    log_level: str = _row("APPLIANCE_LOG_LEVEL", "info", to.log_level, "debug, info, warning or error")
    secrets_command: str | None = _row(
        "SECRETS_COMMAND",
        None,
        to.command,
        "gives the secrets that SECRETS_NAMES lists, such as vault kv get -field={name} forms",
    )
    secrets_names: tuple[str, ...] = _row(
        "SECRETS_NAMES",
        "",
        _secret_names,
        "secrets that SECRETS_COMMAND is asked for, separated by commas",
    )


FOLDERS = (
    "mongo",
    "redis",
    "lake",
    "backups",
    "files",
    "exports",
    "imports",
    "erasures",
    "models",
    "vectors",
    "secrets",
    "tls",
    "prometheus",
    "backups",
    "upgrade",
    "logs",
    "run",
)
"""Folders below the data folder; each belongs to the appliance's user, mode 0700."""


def rows() -> dict[str, Row]:
    """The table by attribute of Settings."""
    return {field.name: field.metadata["row"] for field in dataclasses.fields(Settings)}


def load(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Settings:
    """Settings from all sources. Raises SettingError, naming the setting and its source."""
    return Settings(**{attribute: value for attribute, (value, _) in resolve(environ, dotenv=dotenv).items()})


def resolve(
    environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None
) -> dict[str, tuple[Any, str]]:
    """Value and source ('environment', '.env', 'default', a file's path) of each attribute.

    Raises SettingError.
    """
    env = os.environ if environ is None else environ
    lines = _read_dotenv(dotenv or find_dotenv(env))
    sources = _Sources(env, lines, _read_held(env))
    return {attribute: _resolve(row, sources) for attribute, row in rows().items()}


def find_data(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> Path:
    """APPLIANCE_DATA alone, for commands that need no other setting: whatever is wrong with the others.

    Raises SettingError.
    """
    data: Path = find_alone("data", environ, dotenv=dotenv)
    return data


def find_alone(
    attribute: str, environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None
) -> Any:
    """One that is no secret, whatever is wrong with the others. Raises SettingError."""
    env = os.environ if environ is None else environ
    lines = _read_dotenv(dotenv or find_dotenv(env), strict=False)
    return _resolve(rows()[attribute], _Sources(env, lines, {}))[0]


def held(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> dict[str, Found]:
    """The settings that only a restart changes, as texts: for all programs they win over every file.

    So a program that starts again meanwhile gets what all others have. Raises SettingError.
    """
    found = find_texts(environ, dotenv=dotenv)
    restart = {row.name for row in rows().values() if row.effect == "restart"}
    return {name: Found(text or "", source) for name, (text, source) in found.items() if name in restart}


class Found(NamedTuple):
    text: str | None
    source: str
    """'environment', '.env', 'default', SECRETS_COMMAND, or a file's path."""


def find_texts(environ: Mapping[str, str] | None = None, *, dotenv: Path | None = None) -> dict[str, Found]:
    """By name: each setting as it was written, and where. Raises SettingError."""
    env = os.environ if environ is None else environ
    sources = _Sources(env, _read_dotenv(dotenv or find_dotenv(env)), _read_held(env))
    return {row.name: _find(row, sources) for row in rows().values()}


def find_dotenv(env: Mapping[str, str]) -> Path:
    """`.env`, or the file that is to be read for it."""
    return Path(env.get(HELD) or HOME / ".env")


class _Sources(NamedTuple):
    env: Mapping[str, str]
    dotenv: Mapping[str, _Line]
    held: Mapping[str, Found]
    """Secrets as they were at the last start or reload."""


def _resolve(row: Row, sources: _Sources) -> tuple[Any, str]:
    text, source = _find(row, sources)
    if text is None or (text == "" and row.default is None):
        return None, source
    where = sources.dotenv[row.name].place if source == ".env" and row.name in sources.dotenv else source
    shown = f"{row.name}={'(secret)' if row.secret else repr(text)} from {where}"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise SettingError(f"{shown}: UTF-8 is needed")
    try:
        return row.parse(text), source
    except ValueError as fault:
        raise SettingError(f"{shown}: {fault}") from None


def _find(row: Row, sources: _Sources) -> Found:
    env, dotenv = sources.env, sources.dotenv
    file_name = env.get(f"{row.name}_FILE")
    if file_name and row.name in env:
        raise SettingError(f"{row.name} and {row.name}_FILE are both set; unset one of them")
    if row.name in env:
        return Found(env[row.name], "environment")
    if row.secret and row.name in sources.held:
        return sources.held[row.name]
    if file_name:
        return Found(_read_file(row.name, Path(file_name)), file_name)
    secret = Path("/run/secrets") / row.name.lower()
    if _is_there(row.name, secret):
        return Found(_read_file(row.name, secret), str(secret))
    if row.secret and (command := _command_for(row.name, sources)):
        return Found(vault.ask(command, row.name), COMMAND)
    if row.name in dotenv:
        return Found(dotenv[row.name].value, ".env")
    return Found(row.default, "default")


COMMAND = "SECRETS_COMMAND"
"""The source of what its command has answered."""


def _command_for(name: str, sources: _Sources) -> str | None:
    """What this secret is to be asked of."""
    if name not in _resolve(rows()["secrets_names"], sources)[0]:
        return None
    command: str | None = _resolve(rows()["secrets_command"], sources)[0]
    if command is None:
        raise SettingError(
            f"SECRETS_NAMES lists {name}, but SECRETS_COMMAND is not set; set it, or unset both"
        )
    if HELD_SECRETS in sources.env:
        raise SettingError(f"{name} was not asked for at the last start; run ./scripts/appliance reload")
    return command


def _read_held(env: Mapping[str, str]) -> dict[str, Found]:
    """Raises SettingError."""
    path = Path(env.get(HELD_SECRETS, ""))
    if HELD_SECRETS not in env or not path.is_file():
        return {}
    try:
        return {name: Found(*found) for name, found in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError) as fault:
        raise SettingError(f"{path}: {fault}; restart the appliance, which writes it") from None


def _is_there(name: str, path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as fault:  # a folder that we may not look into may hold it
        raise SettingError(
            f"{name}: cannot look for {path}: {fault.strerror};"
            f" next: let user {os.geteuid()} read its folder and the files in it (chown)"
        ) from None


def _read_file(name: str, path: Path, *, strict: bool = True) -> str:
    try:
        return path.read_text(errors="strict" if strict else "replace").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingError(f"{name}: cannot read {path}: {fault}") from None


class _Line(NamedTuple):
    value: str
    place: str
    """The file and the number of the line."""


def _read_dotenv(path: Path, *, strict: bool = True) -> dict[str, _Line]:
    """By name. Unless `strict`, what cannot be read is left out."""
    if not path.is_file():
        if strict and os.path.lexists(path):
            raise SettingError(f"{path}: not a file that can be read; put one there, or remove it")
        return {}
    found: dict[str, _Line] = {}
    for number, line in enumerate(_read_file(".env", path, strict=strict).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip()):
            if not strict:
                continue
            raise SettingError(f"{path}:{number}: not a line NAME=value")
        value = value.strip()
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        found[name.strip()] = _Line(value, f"{path}:{number}")
    return found
