"""What the programs count as they run: each thing once, under labels that nobody outside can choose."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

from appliance.metrics import counts
from appliance.services.context import Context
from appliance.stores import storage
from tests.api.forms import create, publish, submit
from tests.api.test_cors import HERE, PREFLIGHT
from tests.api.webhooks import create as create_webhook
from tests.api.webhooks import hook
from tests.faults.steering import with_context
from tests.people import PASSWORD, People
from tests.running import Running, unique
from tests.runtime.servers import until
from tests.tasks.test_exporter import scrape

FORM = "/api/v1/forms/{form_id}"
Told = dict[tuple[str, ...], float]


def grown(before: Told, after: Told, name: str) -> dict[tuple[str, ...], float]:
    """By label values: what a family has more."""
    found = {key[1:]: value - before.get(key, 0) for key, value in after.items() if key[0] == name}
    return {labels: more for labels, more in found.items() if more}


def requests_of(appliance: Running, work: Callable[[], object]) -> dict[tuple[str, ...], float]:
    """By method, route, status: those that the API has answered meanwhile, probes apart."""
    before = scrape(appliance)
    work()
    more = grown(before, scrape(appliance), "appliance_http_requests_total")
    return {labels: count for labels, count in more.items() if labels[1] not in ("/healthz", "/readyz")}


def test_a_request_is_counted_once_by_its_route(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)

    def ask() -> None:
        for _ in range(3):
            assert cast.alice.get(f"/api/v1/forms/{form_id}").status_code == 200
        assert cast.alice.get(f"/api/v1/forms/{unique('no')}").status_code == 404
        assert cast.alice.head(f"/api/v1/forms/{form_id}/versions").status_code == 200

    assert requests_of(appliance, ask) == {
        ("GET", FORM, "200"): 3,
        ("GET", FORM, "404"): 1,
        ("HEAD", f"{FORM}/versions", "200"): 1,
    }


def test_the_short_way_counts_too(appliance: Running, cast: People) -> None:
    """A body that the process has at hand never reaches Litestar."""
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}"
    until(lambda: cast.alice.get(path).headers.get("x-cache") == "HIT", what="it is at hand")
    seen: list[str] = []
    more = requests_of(appliance, lambda: seen.extend(cast.alice.get(path).headers["x-cache"] for _ in "123"))
    assert "HIT" in seen and more == {("GET", FORM, "200"): 3}


def test_no_caller_chooses_a_label(appliance: Running, cast: People) -> None:
    def ask() -> None:
        for letter in "ABCDE":
            cast.nobody.get(f"/api/v1/{unique('path')}/{letter}")
            cast.alice.request(f"BREW{letter}", "/api/v1/forms")
        cast.nobody.options("/auth/login", headers={"origin": HERE, **PREFLIGHT})

    assert requests_of(appliance, ask) == {
        ("GET", "unmatched", "404"): 5,
        ("other", "unmatched", "405"): 5,
        ("OPTIONS", "/auth/login", "204"): 1,
    }


def test_a_preflight_is_counted_as_one(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice, public=True, origins=[HERE])
    path = f"/api/v1/forms/{form_id}/responses"
    more = requests_of(appliance, lambda: cast.nobody.options(path, headers={"origin": HERE, **PREFLIGHT}))
    assert more == {("OPTIONS", "preflight", "204"): 1}


def test_times_are_counted_with_the_requests(appliance: Running, cast: People) -> None:
    before = scrape(appliance)
    create(cast.alice)
    after = scrape(appliance)
    name = "appliance_http_request_duration_seconds"
    labels = ("POST", "/api/v1/forms")
    assert grown(before, after, f"{name}_count") == {labels: 1}
    assert 0 < grown(before, after, f"{name}_sum")[labels] < 60
    assert grown(before, after, f"{name}_bucket")[*labels, "+Inf"] == 1


def test_an_api_that_is_killed_has_told_all_it_answered(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    path = f"/api/v1/forms/{form_id}/versions"

    def ask() -> None:
        for _ in range(4):
            assert cast.alice.get(path).status_code == 200
        for name in ("api-1", "api-2"):
            appliance.signal(name, signal.SIGKILL)
        appliance.until_ready()
        until(lambda: cast.alice.get(path).status_code == 200, what="they are back")

    more = requests_of(appliance, ask)
    assert more["GET", f"{FORM}/versions", "200"] >= 5
    files = sorted(each.name for each in appliance.paths.counts.iterdir() if each.name.startswith("api"))
    assert files == ["api-1.counts", "api-2.counts"]


def test_submissions_are_counted_by_what_became_of_them(appliance: Running, cast: People) -> None:
    form_id = publish(cast.alice)
    before = scrape(appliance)
    key = unique("key")
    assert submit(cast.alice, form_id, key).status_code == 201
    assert submit(cast.alice, form_id, key).status_code == 201
    assert submit(cast.alice, form_id, surplus=1).status_code == 422
    assert submit(cast.charlie, form_id).status_code == 404
    after = scrape(appliance)
    assert grown(before, after, "appliance_submissions_accepted_total") == {(): 1}
    assert grown(before, after, "appliance_submissions_repeated_total") == {(): 1}
    rejected = {("invalid",): 1, ("not-found",): 1}
    assert grown(before, after, "appliance_submissions_rejected_total") == rejected


def test_logins_are_counted_by_how_they_ended(appliance: Running) -> None:
    before = scrape(appliance)
    appliance.login("bob", PASSWORD)
    with appliance.client() as client:
        body = {"username": unique("nobody"), "password": "wrong wrong"}
        assert client.post("/auth/login", json=body).status_code == 401
    more = grown(before, scrape(appliance), "appliance_logins_total")
    assert more == {("ok",): 1, ("failed",): 1}


def test_webhooks_and_what_is_blocked_are_counted(appliance: Running, cast: People) -> None:
    """By a worker's child, and by the API."""
    before = scrape(appliance)
    with hook(cast.alice) as hooked:
        form_id = publish(cast.alice)
        submit(cast.alice, form_id)
        hooked.until_messages(1)
        wanted = ("appliance_webhook_attempts_total", "delivered")
        until(lambda: scrape(appliance)[wanted] > before[wanted], what="it is counted")
    made = create_webhook(cast.alice, "https://10.9.8.7/")
    path = f"/api/v1/webhooks/{made['webhook_id']}"
    before = scrape(appliance)
    try:
        assert cast.alice.post(f"{path}/test").json()["delivered"] is False
    finally:
        cast.alice.delete(path)
    after = scrape(appliance)
    assert grown(before, after, "appliance_egress_blocked_total") == {("private",): 1}
    assert grown(before, after, "appliance_webhook_attempts_total")["blocked",] == 1


def test_nginx_tells_what_it_counts(appliance: Running, cast: People) -> None:
    before = scrape(appliance)
    for _ in range(5):
        assert cast.nobody.get("/static/none.css").status_code == 404
    after = scrape(appliance)
    assert after["nginx_up",] == 1 and after["nginx_connections_active",] >= 1
    assert grown(before, after, "nginx_http_requests_total")[()] >= 5


def test_it_tells_what_it_depends_on(appliance: Running) -> None:
    told = scrape(appliance)
    for name in ("mongodb", "redis", "disk"):
        assert told["appliance_dependency_up", name] == 1
    assert 0 < told["appliance_dependency_latency_seconds", "mongodb"] < 2
    assert told["mongodb_ss_connections", "current"] > 1
    assert told["appliance_database_disk_bytes",] > 100_000
    assert told["appliance_dead_letters",] >= 0
    for kind in ("events", "tasks", "deliveries"):
        assert ("appliance_outbox_oldest_seconds", kind) in told


def test_a_number_that_was_not_so_is_counted_once(appliance: Running) -> None:
    async def mend(context: Context) -> Counter[counts.Key]:
        before, name = counts.told(), unique("form")
        row = {"_id": name, "partials": storage.MOST_PARTIALS, "partial_bytes": 0}
        await context.db.form_storage.insert_one(row)
        for _ in range(2):
            await storage.recount_partials(context.db)
        await context.db.form_storage.delete_one({"_id": name})
        return counts.told() - before

    assert with_context(appliance, mend) == {("invariants_mended", "partials"): 1}


def test_counts_that_somebody_has_removed_come_back(appliance: Running, cast: People) -> None:
    key = ("appliance_http_requests_total", "GET", "/api/v1/forms", "200")
    cast.alice.get("/api/v1/forms")
    before = scrape(appliance)[key]
    for path in appliance.paths.counts.glob("api-*.counts"):
        path.unlink()
    until(lambda: scrape(appliance).get(key, 0) >= before, 10, "nothing was lost")
