"""nginx as a client meets it: the product's own configuration, rendered, behind it a program that echoes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import pytest

from appliance import errors
from appliance.runtime import rendering
from appliance.settings import HOME
from tests.runtime.servers import Front, echo_apps, front, temporary_data, until

MB = 1024 * 1024


@pytest.fixture(scope="module")
def door() -> Iterator[Front]:
    """No limits, no trusted proxy."""
    with temporary_data() as data, front(data, RATE_LIMIT="off") as made, echo_apps(made.settings):
        yield made


@pytest.fixture(scope="module")
def proxied() -> Iterator[Front]:
    """With limits, behind a trusted proxy: so a test can choose the address that it comes from."""
    with temporary_data() as data, front(data, APPLIANCE_TRUSTED_PROXIES="127.0.0.1") as made:
        with echo_apps(made.settings):
            yield made


@pytest.fixture(scope="module")
def alone() -> Iterator[Front]:
    """Nothing behind it."""
    with temporary_data() as data, front(data) as made:
        yield made


def seen(answer: httpx.Response) -> dict[str, list[str]]:
    """The headers that reached the program."""
    found: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        found.setdefault(name, []).append(value)
    return found


def check_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == errors.TYPE_PREFIX + slug
    assert body["title"]
    assert body["detail"]
    assert answer.headers.get_list("x-request-id") == [body["request_id"]]
    return body


def lines(door: Front) -> list[dict[str, Any]]:
    return [json.loads(line) for line in door.log.read_text().splitlines()]


# The way in


def test_plain_http_on_loopback_is_served(door: Front) -> None:
    assert door.get("/api/v1/forms").status_code == 200


def test_https_is_served_with_our_certificate_over_http2(door: Front) -> None:
    assert door.client.get(door.https + "/api/v1/forms").status_code == 200
    context = ssl.create_default_context(cafile=str(door.paths.certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = ("127.0.0.1", door.settings.https_port)
    with (
        socket.create_connection(address) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        assert secured.selected_alpn_protocol() == "h2"
        assert secured.version() == "TLSv1.3"


def test_old_tls_is_refused(door: Front) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", door.settings.https_port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)


@pytest.mark.parametrize(
    "host, expected",
    [
        ("forms.test:{http}", "forms.test:{https}"),
        ("forms.test", "forms.test"),
        ("FORMS.test:80", "forms.test:{https}"),
    ],
)
def test_plain_http_from_elsewhere_goes_to_https(proxied: Front, host: str, expected: str) -> None:
    ports = {"http": proxied.settings.http_port, "https": proxied.settings.https_port}
    answer = proxied.get("/f/a%20b?x=1&y=%2F", x_forwarded_for="203.0.113.1", host=host.format(**ports))
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://{expected.format(**ports)}/f/a%20b?x=1&y=%2F"
    assert len(answer.headers.get_list("x-request-id")) == 1


def test_liveness_and_tls_ended_by_a_trusted_proxy_are_not_redirected(proxied: Front) -> None:
    assert proxied.get("/healthz", x_forwarded_for="203.0.113.2").status_code == 200
    assert proxied.get("/f/a", x_forwarded_for="203.0.113.2", x_forwarded_proto="https").status_code == 200
    assert proxied.get("/readyz", x_forwarded_for="203.0.113.2").status_code == 308


def test_plain_http_on_the_https_port_is_redirected(door: Front) -> None:
    answer = door.client.get(f"http://127.0.0.1:{door.settings.https_port}/docs?x=1")
    assert answer.status_code == 308
    assert answer.headers["location"] == f"https://127.0.0.1:{door.settings.https_port}/docs?x=1"


# What is said about the client


def test_forwarded_headers_of_a_stranger_are_overwritten(door: Front) -> None:
    answer = door.get(
        "/api/x", x_forwarded_for="1.2.3.4", x_forwarded_proto="https", x_forwarded_host="evil.test",
        x_forwarded_port="1", x_real_ip="1.2.3.4", forwarded="for=1.2.3.4",
    )  # fmt: skip
    headers = seen(answer)
    port = str(door.settings.http_port)
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == ["127.0.0.1"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["x-forwarded-host"] == headers["host"] == [f"127.0.0.1:{port}"]
    assert headers["x-forwarded-port"] == [port]
    assert "forwarded" not in headers


def test_underscored_lookalikes_never_arrive(door: Front) -> None:
    request = b"GET /api/x HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1.2.3.4\r\nConnection: close\r\n\r\n"
    assert b"1.2.3.4" not in door.raw(request)


def test_a_trusted_proxy_is_believed_up_to_the_first_stranger(proxied: Front) -> None:
    answer = proxied.get(
        "/api/x", x_forwarded_for="9.9.9.9, 203.0.113.3, 127.0.0.1", x_forwarded_proto="https",
        x_forwarded_host="forms.example", x_forwarded_port="443",
    )  # fmt: skip
    headers = seen(answer)
    assert headers["x-forwarded-for"] == ["203.0.113.3"]
    assert headers["x-forwarded-proto"] == ["https"]
    assert headers["x-forwarded-host"] == ["forms.example"]
    assert headers["x-forwarded-port"] == ["443"]


# Request ids


def test_a_sane_request_id_is_kept_once_and_passed_on(door: Front) -> None:
    answer = door.get("/api/x", x_request_id="caller.1-a_B")
    assert answer.headers.get_list("x-request-id") == ["caller.1-a_B"]
    assert seen(answer)["x-request-id"] == ["caller.1-a_B"]


@pytest.mark.parametrize("sent", ["", "a" * 65, "a b", 'a"b', "{}", "ä"])
def test_another_request_id_is_replaced(door: Front, sent: str) -> None:
    request = f"GET /api/x HTTP/1.1\r\nHost: a\r\nX-Request-Id: {sent}\r\nConnection: close\r\n\r\n"
    found = re.findall(rb"(?im)^x-request-id: (.*)\r$", door.raw(request.encode()))
    assert len(found) == 1
    assert re.fullmatch(rb"[0-9a-f]{32}", found[0])


# Answers of nginx and of the program


def test_the_program_errors_pass_untouched(door: Front) -> None:
    answer = door.get("/api/problem")
    assert (answer.status_code, answer.json()) == (422, {"title": "of the app"})
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(
    "request_text, status, slug",
    [
        (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad-request"),
        (b"GARBAGE\r\n\r\n", 400, "bad-request"),
        (b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "too-large"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: " + b"a" * 20000 + b"\r\n\r\n", 431, "too-large"),
        (b"GET /static/no.js HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404, "not-found"),
    ],
    ids=["host", "garbage", "uri", "headers", "absent"],
)  # fmt: skip
def test_nginx_own_errors_are_problems(door: Front, request_text: bytes, status: int, slug: str) -> None:
    head, _, body = door.raw(request_text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    headers = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
    answer = httpx.Response(status, headers=[(name, value) for name, value in headers], content=body)
    check_problem(answer, status, slug)


def test_a_file_takes_no_post(door: Front) -> None:
    file = next(path for path in (HOME / "appliance" / "web" / "static").rglob("*.js"))
    address = "/" + str(file.relative_to(HOME / "appliance" / "web"))
    got = door.get(address)
    assert (got.status_code, got.content) == (200, file.read_bytes())
    assert got.headers["cache-control"].startswith("public, max-age=")
    assert got.headers.get_list("x-content-type-options") == ["nosniff"]
    check_problem(door.client.post(door.http + address), 405, "method-not-allowed")


def test_a_problem_names_its_path_and_cannot_be_broken_out_of(door: Front) -> None:
    body = check_problem(door.get("/static/none?secret=1"), 404, "not-found")
    assert body["instance"] == "/static/none"
    raw = door.raw(b'GET /static/a","x":"\\ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert json.loads(raw.partition(b"\r\n\r\n")[2])["instance"] == "/static/a"


def test_every_slug_of_nginx_is_one_of_the_table(door: Front) -> None:
    known = {kind.slug for kind in errors.Problem.__subclasses__()}
    text = (door.paths.run / "nginx.conf").read_text()
    table = re.search(r"\$problem_slug \{(.*?)\}", text, re.DOTALL)
    assert table
    assert set(re.findall(r"\S+ ([a-z-]+);", table[1])) <= known


def test_without_an_api_it_is_503_with_retry_after(alone: Front) -> None:
    for path in ("/api/v1/forms", "/healthz", "/"):
        answer = alone.get(path)
        check_problem(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "2"


def test_a_post_moves_to_an_api_that_lives(door: Front) -> None:
    """A socket that nobody listens on costs nothing: also a POST goes to the next one."""
    number = len(list(door.paths.run.glob("api-*.sock")))
    if number < 2:
        pytest.skip("one CPU, one API")
    moved = door.paths.api_socket(1).rename(door.paths.run / "away")
    try:
        answers = [door.client.post(door.http + "/api/x", content=b"1") for _ in range(10)]
    finally:
        moved.rename(door.paths.api_socket(1))
    assert {answer.status_code for answer in answers} == {200}


def test_server_sent_events_pass_as_they_come(door: Front) -> None:
    with door.client.stream("GET", door.http + "/api/events") as answer:
        arrived = [(time.monotonic(), part) for part in answer.iter_bytes()]
    assert b"".join(part for _, part in arrived) == b"data: 0\n\ndata: 1\n\ndata: 2\n\n"
    assert arrived[-1][0] - arrived[0][0] > 0.4


# Limits


@pytest.mark.parametrize(
    "path, limit",
    [
        ("/api/v1/forms", 1 * MB),
        ("/f/x", 1 * MB),
        ("/api/v1/forms/a/files", 20 * MB + 64 * 1024),
        ("/api/v1/forms/a/responses/batch", 64 * MB),
        ("/api/v1/forms/import", 5 * MB),
        ("/api/v1/forms/a/responses/import", 64 * MB),
        ("/api/v1/forms/a/b/files", 1 * MB),
    ],
)
def test_bodies_are_limited_by_path(door: Front, path: str, limit: int) -> None:
    fits = door.client.post(door.http + path, content=b"x" * limit)
    assert (fits.status_code, fits.json()["bytes"]) == (200, limit)
    refused = door.client.post(door.http + path, content=b"x" * (limit + 1))
    check_problem(refused, 413, "too-large")
    assert f": at most {limit // MB} MiB" in refused.json()["detail"]
    assert ("APPLIANCE_UPLOAD_MB" in refused.json()["detail"]) is (limit // MB == 20)


def test_chunked_bodies_work_and_are_limited_too(door: Front) -> None:
    small = door.client.post(door.http + "/api/x", content=iter([b"a" * 1000] * 10))
    assert small.json()["bytes"] == 10_000
    request = b"POST /api/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (65536, b"x" * 65536)
    assert b"HTTP/1.1 413 " in door.raw(request + chunk * 17 + b"0\r\n\r\n")


def test_a_body_cut_off_in_the_middle_never_reaches_the_api(door: Front) -> None:
    with socket.create_connection(("127.0.0.1", door.settings.http_port)) as client:
        client.sendall(b"POST /api/cut HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf")
    until(lambda: any(line.get("uri") == "/api/cut" for line in lines(door)))
    line = next(line for line in lines(door) if line["uri"] == "/api/cut")
    assert (line["status"], line["upstream"]) == (400, "")


@pytest.mark.parametrize("path", ["/api/x", "/auth/login", "/v1/x", "/f/x", "/api/v1/forms/a/files"])
def test_an_address_is_limited_and_told_when_to_come_back(proxied: Front, path: str) -> None:
    address = f"198.51.{zlib.crc32(path.encode()) % 65536 // 256}.{zlib.crc32(path.encode()) % 256}"

    def ask(_: int) -> httpx.Response:
        return proxied.get(path, x_forwarded_for=address, x_forwarded_proto="https")

    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(ask, range(100)))
    most = 41 + 20 * (time.monotonic() - started) + 1  # 1 + 40 at once, then 20 a second while it lasts
    refused = [answer for answer in got if answer.status_code != 200]
    assert 41 <= len(got) - len(refused) <= most
    assert refused
    for answer in refused:
        check_problem(answer, 429, "too-many-requests")
        assert int(answer.headers["retry-after"]) >= 1
    other = proxied.get(path, x_forwarded_for="203.0.113.77", x_forwarded_proto="https")
    assert other.status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/none", "/docs"])
def test_probes_and_pages_are_not_limited(proxied: Front, path: str) -> None:
    got = {
        proxied.get(path, x_forwarded_for="203.0.113.88", x_forwarded_proto="https").status_code
        for _ in range(80)
    }
    assert got == {404 if "static" in path else 200}


def test_rate_limit_off_is_off(door: Front) -> None:
    assert {door.get("/api/x").status_code for _ in range(120)} == {200}


# Maintenance, static files, log


def test_maintenance_closes_all_but_the_probes(door: Front) -> None:
    door.paths.maintenance.touch()
    try:
        page = door.get("/f/x", accept="text/html,application/xhtml+xml")
        program = door.get("/api/v1/forms", accept="application/json")
        probes = [door.get(path).status_code for path in ("/healthz", "/readyz")]
    finally:
        door.paths.maintenance.unlink()
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "Back shortly" in page.text
    assert int(page.headers["retry-after"]) > 0
    assert len(page.headers.get_list("x-request-id")) == 1
    check_problem(program, 503, "unavailable")
    assert int(program.headers["retry-after"]) > 0
    assert probes == [200, 200]
    assert door.get("/api/v1/forms").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/static/../docs_page.py", "/static/%2e%2e/docs_page.py", "/static/..%2fdocs_page.py", "/static/.x",
     "/static/docs/.x", "/static/", "/static", "/static/docs/", "/static/.../x"],
)  # fmt: skip
def test_static_gives_no_listing_no_dotfile_and_nothing_outside(door: Front, path: str) -> None:
    raw = door.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head = raw.partition(b"\r\n\r\n")[0]
    # A path that leaves /static/ is one of the API's, which here echoes it: never a file.
    assert b"import" not in raw
    assert not head.startswith(b"HTTP/1.1 200 ") or b"application/json" in head


def test_the_log_is_json_lines_without_query_strings(door: Front) -> None:
    door.get("/api/logged?token=hunter2", x_request_id="log-me", user_agent='a"b\\c')
    door.raw(b"GET /static/gone?token=hunter2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    until(lambda: any(line["request_id"] == "log-me" for line in lines(door)))
    line = next(line for line in lines(door) if line["request_id"] == "log-me")
    assert (line["method"], line["uri"], line["status"], line["address"]) == (
        "GET",
        "/api/logged",
        200,
        "127.0.0.1",
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["user_agent"] == 'a"b\\c'
    assert line["bytes"] > 0
    assert line["seconds"] >= float(line["upstream_seconds"]) - 0.001
    assert "api-" in line["upstream"]
    assert "hunter2" not in door.log.read_text()


def test_an_api_that_is_gone_writes_no_query_string_either(alone: Front) -> None:
    alone.get("/api/x?token=hunter2", x_request_id="gone")
    until(lambda: any(line["request_id"] == "gone" for line in lines(alone)))
    assert "hunter2" not in alone.log.read_text()


@pytest.mark.parametrize(
    "name, sent",
    [("client_header_timeout", b"GET / HTTP/1.1\r\nHost:"),
     ("client_body_timeout", b"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab")],
    ids=["headers", "body"],
)  # fmt: skip
def test_a_slow_client_is_cut_off(name: str, sent: bytes) -> None:
    with temporary_data() as data, front(data, edit=(f"{name} 15s;", f"{name} 1s;")) as door:
        started = time.monotonic()
        door.raw(sent)  # returns when nginx closes
        assert 0.8 < time.monotonic() - started < 4


@pytest.mark.parametrize("before, after", [("off", "on"), ("on", "off")])
def test_limits_are_switched_without_a_restart(before: str, after: str) -> None:
    """nginx takes no configuration in which a zone has another key than it had."""
    with temporary_data() as data, front(data, RATE_LIMIT=before, APPLIANCE_LIMIT_REQUESTS="10") as door:
        rendering.nginx(replace(door.settings, rate_limit=after == "on"))
        os.kill(door.pid, signal.SIGHUP)

        def is_limited() -> bool:
            try:
                return 429 in {door.get("/api/x").status_code for _ in range(60)}
            except httpx.TransportError:  # of a worker that was told to go
                return after != "on"

        until(lambda: is_limited() is (after == "on"), what=door.log.read_text())
