"""The links of the OpenAPI document: which operations can be called with what another one has answered.

Clients walk them, tools test along them: who creates a thing is told how to read, change and delete it.
"""

from __future__ import annotations

from typing import Any

_NEW_FORM = {"form_id": "$response.body#/form_id"}
_THIS_FORM = {"form_id": "$request.path.form_id"}
_NEW_RESPONSE = {**_NEW_FORM, "response_id": "$response.body#/response_id"}
_THIS_RESPONSE = {**_THIS_FORM, "response_id": "$request.path.response_id"}
_VERSION = {**_THIS_FORM, "number": "$response.body#/version"}
_LINK = {**_THIS_FORM, "link_id": "$response.body#/link_id"}
_INVITED = {**_THIS_FORM, "X-Form-Link": "$response.body#/token"}
_FILE = {**_THIS_FORM, "file_id": "$response.body#/file_id"}
_PARTIAL = {**_THIS_FORM, "token": "$request.path.token"}
_PROMISED = {"task_id": "$response.body#/task_id"}
_EXPORT = {"export_id": "$response.body#/task_id"}
_ERASURE = {"erasure_id": "$response.body#/task_id"}
_WEBHOOK = {"webhook_id": "$response.body#/webhook_id"}
_USER = {"user_id": "$response.body#/user_id"}
_KEY = {"key_id": "$response.body#/key_id"}

_WITH_A_FORM = (
    "getForm changeForm publishForm deleteForm duplicateForm "
    "listVersions listShares setShares createLink listLinks"
)
_WITH_A_PUBLISHED_FORM = (
    "closeForm submit submitBatch listResponses exportResponses startExport importResponses"
)

_LINKS: dict[tuple[str, int], list[tuple[str, dict[str, str]]]] = {
    ("createForm", 201): [(_WITH_A_FORM, _NEW_FORM)],
    ("importForm", 201): [(_WITH_A_FORM, _NEW_FORM)],
    ("duplicateForm", 201): [(_WITH_A_FORM, _NEW_FORM)],
    ("publishForm", 200): [(_WITH_A_PUBLISHED_FORM, _THIS_FORM), ("getVersion getSchema", _VERSION)],
    ("closeForm", 200): [("reopenForm", _THIS_FORM)],
    ("deleteForm", 204): [("restoreForm", _THIS_FORM)],
    ("createLink", 201): [("withdrawLink", _LINK), ("getForm submit", _INVITED)],
    ("submit", 201): [("getResponse changeResponse deleteResponse listHistory", _NEW_RESPONSE)],
    ("uploadFile", 201): [("downloadFile", _FILE)],
    ("savePartial", 201): [("getPartial deletePartial", _PARTIAL)],
    ("deleteResponse", 204): [("restoreResponse", _THIS_RESPONSE)],
    ("replayDeadLetter", 202): [("getTask cancelTask", _PROMISED)],
    ("startExport", 202): [("getTask cancelTask", _PROMISED), ("downloadExport", _EXPORT)],
    ("importResponses", 202): [("getTask cancelTask", _PROMISED), ("downloadExport", _EXPORT)],
    ("startErasure", 202): [
        ("getTask cancelTask", _PROMISED),
        ("getErasure exportSubject confirmErasure", _ERASURE),
    ],
    ("createUser", 201): [("getUser changeUser", _USER)],
    ("createKey", 201): [("deleteKey", _KEY)],
    ("createWebhook", 201): [
        ("getWebhook changeWebhook deleteWebhook rotateWebhook testWebhook listDeliveries", _WEBHOOK)
    ],
}
"""By the operation and the status it answers: the operations that follow, and what they are called with."""


def links_of(operation: str, status: int) -> dict[str, Any]:
    """As they stand below a response; empty when nothing follows."""
    return {
        target: {"operationId": target, "parameters": parameters}
        for targets, parameters in _LINKS.get((operation, status), [])
        for target in targets.split()
    }
