"""The JSON shapes of accounts, keys and the audit log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.services.shapes import Email, Moment

Name = Annotated[str, Meta(min_length=1, max_length=100)]
NewName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+\-]{1,99}\Z",
        description="2 to 100 letters and digits of ASCII and . _ @ + -, a letter or digit first",
    ),
]
Password = Annotated[str, Meta(min_length=1, max_length=1024)]
NewPassword = Annotated[str, Meta(min_length=10, max_length=1024)]
Role = Literal["admin", "editor", "analyst", "viewer"]
Roles = Annotated[list[Role], Meta(min_length=1, max_length=4)]
UserStatus = Literal["active", "disabled", "invited"]
Scope = Literal[
    "forms:read",
    "forms:write",
    "responses:read",
    "responses:write",
    "tasks",
    "webhooks",
    "analytics",
    "ai",
    "admin",
]


class Credentials(Struct, forbid_unknown_fields=True):
    username: Name
    password: Password


class ChangePassword(Struct, forbid_unknown_fields=True):
    current_password: Password
    new_password: NewPassword


class ForgotPassword(Struct, forbid_unknown_fields=True):
    username: Name


class ResetPassword(Struct, forbid_unknown_fields=True):
    """`token` is the one that `appliance user reset` or an invitation gave out."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]
    new_password: NewPassword


class CreateUser(Struct, forbid_unknown_fields=True, kw_only=True):
    """Without a password the account is an invited one: the answer has a token to set it with."""

    username: NewName
    password: NewPassword | None = None
    email: Email | None = None
    roles: Roles


class ChangeUser(Struct, forbid_unknown_fields=True, kw_only=True):
    """Only what is given is changed; an email of null is taken away."""

    email: Email | UnsetType | None = UNSET
    roles: Roles | UnsetType = UNSET
    status: Literal["active", "disabled"] | UnsetType = UNSET


class User(Struct, kw_only=True):
    user_id: str
    username: str
    email: str | UnsetType = UNSET
    roles: list[str]
    status: UserStatus
    created_at: str
    last_login_at: str | None


class CreatedUser(User, kw_only=True):
    reset_token: str | UnsetType = UNSET
    """For POST /auth/reset, within 24 hours, once; only of an account that was created without a password."""


class Users(Struct):
    users: list[User]
    next_cursor: str | None


class Session(Struct, kw_only=True):
    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 (the scheme's name)
    expires_in: int
    """Seconds."""
    user: User


class CreateKey(Struct, forbid_unknown_fields=True, kw_only=True):
    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=9)]
    expires_at: Moment | None = None


class ApiKey(Struct, kw_only=True):
    key_id: str
    name: str
    scopes: list[str]
    user_id: str
    created_at: str
    expires_at: str | None


class CreatedKey(ApiKey, kw_only=True):
    key: str
    """Send it as `Authorization: Bearer`. It is shown this once."""


class ApiKeys(Struct):
    api_keys: list[ApiKey]
    next_cursor: str | None


class AuditEntry(Struct, kw_only=True):
    number: int
    at: str
    actor: str | None
    """The user's id; null for the operator's command line and the appliance itself."""
    action: str
    subject: str
    details: dict[str, Any]
    hash: str
    """SHA-256 over the entry and the hash of the one before."""


class AuditEntries(Struct):
    audit: list[AuditEntry]
    next_cursor: str | None
