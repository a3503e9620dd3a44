"""The JSON shapes of the machine's side; a secret's value is in none."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Severity = Literal["ok", "warning", "error"]


class SystemFinding(Struct):
    """`check` is its id (docs/doctor.md); `meaning` what is the case, `next` what to do about it."""

    check: str
    severity: Severity
    meaning: str
    next: str


class SystemFindings(Struct, kw_only=True):
    """`severity` is the worst of them."""

    as_of: str
    severity: Severity
    findings: list[SystemFinding]


class RestartedService(Struct, kw_only=True):
    """How far it got while we waited; `GET /api/v1/system` tells the rest."""

    name: str
    state: Literal["running", "restarting"]
    pid: int | None


class LogLine(Struct, kw_only=True):
    """`fields` is what the line has besides, in the words of the program that wrote it."""

    time: str
    program: str
    level: str | None
    message: str
    request_id: str | None
    fields: dict[str, Any]


class LogLines(Struct):
    """The oldest first."""

    logs: list[LogLine]
    next_cursor: str | None = None


class SystemSecret(Struct, kw_only=True):
    """Where it comes from, since when it is what it is, `age` in seconds."""

    name: str
    source: str
    state: str
    since: str
    age: int


class SystemSecrets(Struct):
    secrets: list[SystemSecret]
    next_cursor: str | None = None


class RotatedSecret(Struct):
    """`told`: what was done and what is left to do, as the command says it."""

    name: str
    told: list[str]


class SystemBackup(Struct, kw_only=True):
    """`ours`: made here. `whole_at`: all of it was read then, and was as it was written; `drilled_at`: it was
    restored aside then, and what came of it was equal; `fault`: why it was not, when that was tried last."""

    name: str
    bytes: int
    ours: bool
    made_at: str | None
    responses: int | None
    whole_at: str | None
    drilled_at: str | None
    fault: str | None


class BackupCourse(Struct, kw_only=True):
    """Of all backups, or all drills. `asked_at`: one is asked for or under way; `failures` in a row."""

    kind: Literal["backup", "drill"]
    asked_at: str | None
    succeeded_at: str | None
    archive: str | None
    failed_at: str | None
    failures: int
    error: str | None


class SystemBackups(Struct, kw_only=True):
    """The newest first."""

    backups: list[SystemBackup]
    courses: list[BackupCourse]
    next_cursor: str | None = None


class StartBackup(Struct, kw_only=True, forbid_unknown_fields=True):
    """`drill` restores the newest backup aside and compares it."""

    kind: Literal["backup", "drill"] | UnsetType = UNSET


class AskedBackup(Struct, kw_only=True):
    """`status_url` lists all backups, and what became of the last one."""

    kind: Literal["backup", "drill"]
    asked_at: str
    status_url: str


class SystemCertificate(Struct, kw_only=True):
    """That HTTPS is served with. `untrusted`: why this machine's roots do not trust it; `fault`: why a newer
    one is not served; `next_attempt_at`: when the ACME service is asked again."""

    kind: Literal["files", "acme", "self-signed"]
    names: list[str]
    begins_at: str
    expires_at: str
    untrusted: str | None
    fault: str | None
    next_attempt_at: str | None


class SystemCertificates(Struct):
    certificates: list[SystemCertificate]
    next_cursor: str | None = None
