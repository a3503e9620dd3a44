from __future__ import annotations

import re

import httpx

from tests.people import People
from tests.running import Running

OPERATIONS = {
    "GET /v1/models",
    "GET /v1/models/{model}",
    "POST /v1/chat/completions",
    "POST /v1/embeddings",
    "POST /api/v1/forms/{form_id}/analyze",
    "GET /api/v1/forms/{form_id}/insights",
    "GET /api/v1/forms/{form_id}/search",
    "GET /api/v1/forms/{form_id}/insights/responses",
    "GET /healthz",
    "GET /readyz",
    "POST /auth/login",
    "POST /auth/logout",
    "GET /auth/me",
    "POST /auth/password",
    "POST /auth/forgot",
    "POST /auth/reset",
    "POST /api/v1/users",
    "GET /api/v1/users",
    "GET /api/v1/users/{user_id}",
    "PATCH /api/v1/users/{user_id}",
    "POST /api/v1/api-keys",
    "GET /api/v1/analytics/activity",
    "GET /api/v1/analytics/daily",
    "GET /api/v1/analytics/forms/{form_id}",
    "GET /api/v1/analytics/queries",
    "GET /api/v1/analytics/queries/{query_name}",
    "GET /api/v1/analytics/runs",
    "POST /api/v1/analytics/query",
    "POST /api/v1/analytics/run",
    "GET /api/v1/api-keys",
    "DELETE /api/v1/api-keys/{key_id}",
    "GET /api/v1/audit",
    "GET /api/v1/subjects",
    "POST /api/v1/subjects",
    "GET /api/v1/subjects/{erasure_id}",
    "POST /api/v1/subjects/{erasure_id}/confirm",
    "GET /api/v1/subjects/{erasure_id}/export",
    "GET /api/v1/exports/{export_id}",
    "GET /api/v1/forms/{form_id}/export",
    "POST /api/v1/forms/{form_id}/exports",
    "POST /api/v1/forms/{form_id}/responses/import",
    "GET /api/v1/forms",
    "POST /api/v1/forms",
    "GET /api/v1/forms/{form_id}",
    "PATCH /api/v1/forms/{form_id}",
    "POST /api/v1/forms/{form_id}/publish",
    "POST /api/v1/forms/{form_id}/close",
    "POST /api/v1/forms/{form_id}/reopen",
    "GET /api/v1/forms/{form_id}/versions",
    "GET /api/v1/forms/{form_id}/versions/{number}",
    "GET /api/v1/forms/{form_id}/versions/{number}/schema.json",
    "POST /api/v1/forms/validate",
    "POST /api/v1/forms/import",
    "DELETE /api/v1/forms/{form_id}",
    "POST /api/v1/forms/{form_id}/duplicate",
    "POST /api/v1/forms/{form_id}/restore",
    "GET /api/v1/forms/{form_id}/shares",
    "PUT /api/v1/forms/{form_id}/shares",
    "POST /api/v1/forms/{form_id}/links",
    "GET /api/v1/forms/{form_id}/links",
    "DELETE /api/v1/forms/{form_id}/links/{link_id}",
    "PATCH /api/v1/forms/{form_id}/responses/{response_id}",
    "DELETE /api/v1/forms/{form_id}/responses/{response_id}",
    "POST /api/v1/forms/{form_id}/responses/{response_id}/restore",
    "GET /api/v1/forms/{form_id}/responses/{response_id}/history",
    "POST /api/v1/forms/{form_id}/responses/bulk",
    "POST /api/v1/forms/{form_id}/responses/batch",
    "POST /api/v1/forms/{form_id}/responses",
    "GET /api/v1/forms/{form_id}/responses",
    "GET /api/v1/forms/{form_id}/responses/{response_id}",
    "POST /api/v1/forms/{form_id}/files",
    "GET /api/v1/forms/{form_id}/files/{file_id}",
    "PUT /api/v1/forms/{form_id}/partial/{token}",
    "GET /api/v1/forms/{form_id}/partial/{token}",
    "DELETE /api/v1/forms/{form_id}/partial/{token}",
    "GET /api/v1/tasks",
    "GET /api/v1/tasks/{task_id}",
    "DELETE /api/v1/tasks/{task_id}",
    "GET /api/v1/tasks/{task_id}/events",
    "GET /api/v1/alerts",
    "GET /api/v1/alerts/{alert_id}",
    "POST /api/v1/alerts/{alert_id}/acknowledge",
    "DELETE /api/v1/alerts/{alert_id}/acknowledge",
    "POST /api/v1/alerts/{alert_id}/silence",
    "DELETE /api/v1/alerts/{alert_id}/silence",
    "GET /api/v1/metrics/query",
    "GET /api/v1/metrics/query_range",
    "GET /api/v1/queues",
    "POST /api/v1/queues/{queue}/pause",
    "POST /api/v1/queues/{queue}/resume",
    "GET /api/v1/system",
    "GET /api/v1/system/backups",
    "POST /api/v1/system/backups",
    "GET /api/v1/system/certificates",
    "GET /api/v1/system/doctor",
    "GET /api/v1/system/logs",
    "GET /api/v1/system/secrets",
    "POST /api/v1/system/secrets/{name}/rotate",
    "POST /api/v1/system/services/{name}/restart",
    "GET /api/v1/dead-letters",
    "GET /api/v1/dead-letters/{task_id}",
    "DELETE /api/v1/dead-letters/{task_id}",
    "POST /api/v1/dead-letters/{task_id}/replay",
    "POST /api/v1/webhooks",
    "GET /api/v1/webhooks",
    "GET /api/v1/webhooks/{webhook_id}",
    "PATCH /api/v1/webhooks/{webhook_id}",
    "DELETE /api/v1/webhooks/{webhook_id}",
    "POST /api/v1/webhooks/{webhook_id}/rotate",
    "POST /api/v1/webhooks/{webhook_id}/test",
    "GET /api/v1/webhooks/{webhook_id}/deliveries",
    "POST /api/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    "POST /api/v1/webhooks/deliveries/{delivery_id}/redeliver",
}


def test_the_document_has_every_path(cast: People) -> None:
    document = cast.nobody.get("/openapi.json").json()
    found = {
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method in item
        if method in ("get", "post", "put", "patch", "delete")
    }
    assert document["openapi"].startswith("3.1")
    assert found == OPERATIONS
    create = document["paths"]["/api/v1/forms"]["post"]
    assert set(create["responses"]) >= {"201", "400", "401", "403", "415", "422", "429", "503"}
    assert create["responses"]["422"] == {"$ref": "#/components/responses/Problem422"}
    assert "application/problem+json" in document["components"]["responses"]["Problem422"]["content"]
    assert "requestBody" in create


def test_alive_and_ready(cast: People) -> None:
    assert cast.nobody.get("/healthz").json() == {"status": "alive"}
    ready = cast.nobody.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    dependencies = ready.json()["dependencies"]
    assert set(dependencies) == {"mongodb", "redis", "disk"}
    assert all(0 < dependencies[name]["latency"] < 2 for name in ("mongodb", "redis"))


def test_the_docs_page_loads_nothing_from_outside(appliance: Running) -> None:
    with httpx.Client(base_url=appliance.url, trust_env=False) as client:
        page = client.get("/docs")
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert any(path.endswith(".js") for path in loaded)
        for path in loaded:
            assert path.startswith("/"), path
            assert not path.startswith("//"), path
            assert client.get(path, follow_redirects=True).status_code == 200, path
