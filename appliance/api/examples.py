"""What the OpenAPI document tells beside the routes: examples of bodies, how fields go together, headers."""

from __future__ import annotations

from typing import Any

_DEFINITION = {
    "elements": [
        {"type": "text", "name": "name", "isRequired": True},
        {"type": "rating", "name": "stars", "rateMax": 5},
        {"type": "comment", "name": "words"},
    ]
}

BODIES: dict[str, Any] = {
    "Credentials": {"username": "alice", "password": "correct horse battery staple"},
    "ChangePassword": {
        "current_password": "the one until now",
        "new_password": "correct horse battery staple",
    },
    "ForgotPassword": {"username": "alice"},
    "Acknowledge": {"note": "The disk is being replaced"},
    "Silence": {"seconds": 7200, "note": "import"},
    "ResetPassword": {"token": "the one-time token", "new_password": "correct horse battery staple"},
    "CreateUser": {"username": "bob", "email": "bob@example.org", "roles": ["viewer"]},
    "ChangeUser": {"roles": ["editor"]},
    "CreateKey": {"name": "nightly import", "scopes": ["responses:write"]},
    "CreateForm": {"title": "Feedback", "definition": _DEFINITION, "settings": {"public": True}},
    "ChangeForm": {"title": "Feedback of this year"},
    "JudgeForm": {"definition": _DEFINITION},
    "GiveShares": {"shares": [{"username": "bob", "level": "view"}]},
    "CreateLink": {"single_use": True, "note": "for Ada"},
    "SavePartial": {"data": {"name": "Ada"}, "page": "page1"},
    "Submission": {"data": {"name": "Ada", "stars": 5}, "meta": {"language": "en"}},
    "ChangeResponse": {"data": {"name": "Ada", "stars": 4}},
    "CreateWebhook": {"url": "https://example.org/hook", "events": ["response.created"]},
    "ChangeWebhook": {"status": "active"},
    "StartExport": {"format": "xlsx", "time_zone": "Europe/Berlin", "from": "2026-01-01T00:00:00Z"},
    "ChatRequest": {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 20},
    "StartErasure": {"subject": {"answer": "ada@example.org"}},
    "StartBackup": {"kind": "backup"},
    "StartAnalysis": {"since": "2026-01-01T00:00:00Z"},
    "AskSql": {"sql": "SELECT status, count(*) AS n FROM responses GROUP BY ALL"},
    "EmbeddingsRequest": {"input": ["The staff was friendly."]},
    "Bulk": {"response_ids": ["01a20e67f86975fe865bfcd83881"], "action": "tag", "value": "seen"},
}
"""By the name of the shape; a test sees to it that every body has one and that it is valid."""


RULES: dict[str, dict[str, Any]] = {
    # Not `oneOf`: generators of clients would make a union of half shapes of it.
    "CreateForm": {
        "if": {"required": ["definition"]},
        "then": {"not": {"required": ["schema"]}},
        "else": {"required": ["schema"]},
    },
    "Silence": {
        "if": {"required": ["seconds"]},
        "then": {"not": {"required": ["until"]}},
        "else": {"required": ["until"]},
    },
    "ChangeForm": {"not": {"required": ["definition", "schema"]}},
    "JudgeForm": {"minProperties": 1, "maxProperties": 1},
    "Subject": {"minProperties": 1},
    "GiveShare": {"minProperties": 2, "maxProperties": 2},
    "Bulk": {
        "if": {"properties": {"action": {"enum": ["delete", "restore"]}}},
        "then": {"not": {"required": ["value"]}},
        "else": {
            "required": ["value"],
            "if": {"properties": {"action": {"const": "set_status"}}},
            "then": {"properties": {"value": {"enum": ["accepted", "flagged"]}}},
        },
    },
}
"""By the name of the shape: what its fields together must be, which the types of single fields cannot say."""


def _header(name: str, description: str, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


HEADERS = {
    "Idempotency-Key": _header(
        "Idempotency-Key",
        "A retry with the same key and body gets the first answer again, with Idempotency-Replayed: true",
        pattern="^[!#-~]{1,255}$",
    ),
    "If-Match": _header(
        "If-Match",
        "The one ETag that is changed; 412 when it is no longer current",
        pattern='^([^"]|"+([^",]|$))*$',  # no list of them: a quote, then a comma
        examples=['"1"'],
    ),
    "If-None-Match": _header("If-None-Match", "The ETag at hand; 304 while it is current", examples=['"1"']),
    "X-Form-Pin": _header("X-Form-Pin", "The form's PIN, where it has one"),
    "X-Form-Link": _header("X-Form-Link", "The token of a link to this form"),
    "X-Partial-Token": _header("X-Partial-Token", "The token of a half-filled response that names the file"),
}

_READ_BY = {
    "Idempotency-Key": (
        "create_form import_form duplicate_form create_link submit create_user create_key create_webhook "
        "start_export import_responses analyze_form start_erasure"
    ),
    "If-Match": (
        "change_form publish_form close_form reopen_form delete_form set_shares change_user "
        "change_response delete_response restore_form restore_response change_webhook delete_webhook "
        "save_partial"
    ),
    "If-None-Match": "get_form list_responses get_response get_partial",
    "X-Form-Pin": "get_form submit submit_batch upload_file save_partial get_partial delete_partial",
    "X-Form-Link": "get_form submit submit_batch upload_file save_partial get_partial delete_partial",
    "X-Partial-Token": "download_file",
}


def headers_of(handler: str) -> list[str]:
    """The headers that a handler reads."""
    return [name for name, handlers in _READ_BY.items() if handler in handlers.split()]
