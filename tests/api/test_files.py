"""Files of answers: taking them in, naming them in a response, giving them out."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from appliance.ops import supervisor
from tests.api.forms import create, errors, publish, walk
from tests.api.test_links import make
from tests.api.uploads import PDF, PNG, answer_with, form_with_files, new_token, upload, uploaded
from tests.people import People
from tests.running import Running

MB = 1024 * 1024
EMBEDDED = {
    "name": "b.png",
    "type": "image/png",
    "content": f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
}


def on_disk(appliance: Running) -> set[str]:
    return {path.name for path in appliance.paths.files.rglob("*") if path.is_file()}


def test_a_file_is_taken_named_and_given_out(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    answer = upload(cast.nobody, form_id)
    told = answer.json()
    assert answer.status_code == 201 and answer.headers["location"] == told["content"]
    assert told == {
        "file_id": told["file_id"],
        "name": "a.png",
        "type": "image/png",
        "size": len(PNG),
        "content": f"/api/v1/forms/{form_id}/files/{told['file_id']}",
    }
    item = {"name": "mine", "type": "text/html", "content": told["content"]}
    stored = answer_with(cast.nobody, form_id, photos=[item])
    assert stored.status_code == 201
    assert stored.json()["data"] == {"photos": [{**item, "name": "a.png", "type": "image/png"}]}
    got = cast.alice.get(told["content"])
    assert (got.status_code, got.content) == (200, PNG)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == "attachment; filename=\"a.png\"; filename*=UTF-8''a.png"
    assert got.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert got.headers.get_list("x-content-type-options") == ["nosniff"]
    assert got.headers["cache-control"] == "private, no-store"
    assert "x-accel-redirect" not in got.headers
    whole = cast.alice.get(told["content"], headers={"range": "bytes=0-3", "if-none-match": '"1"'})
    assert (whole.status_code, whole.content) == (200, PNG)
    for client, status in ((cast.nobody, 401), (cast.charlie, 404)):
        assert client.get(told["content"]).status_code == status
    assert cast.alice.get(f"/api/v1/forms/{publish(cast.alice)}/files/{told['file_id']}").status_code == 404
    assert (appliance.paths.files / told["file_id"][-2:] / told["file_id"]).stat().st_mode & 0o777 == 0o600


def test_the_inner_address_is_nobodys(cast: People) -> None:
    form_id = form_with_files(cast.alice)
    file_id = upload(cast.nobody, form_id).json()["file_id"]
    assert cast.alice.get(f"/_files/{file_id[-2:]}/{file_id}").status_code == 404


def test_the_bytes_alone_will_do(cast: People) -> None:
    form_id = form_with_files(cast.alice)
    path, sent = f"/api/v1/forms/{form_id}/files", {"question": "cv", "name": "C:\\my\\cv.pdf"}
    answer = cast.nobody.post(
        path, params=sent, content=PDF, headers={"content-type": "application/PDF; x=y"}
    )
    assert answer.status_code == 201
    assert (answer.json()["name"], answer.json()["type"]) == ("cv.pdf", "application/pdf")


def test_files_within_panels_rows_and_signatures(cast: People) -> None:
    form_id = form_with_files(cast.alice)
    picture, ticket, signature, inside = (
        uploaded(cast.nobody, form_id, question) for question in ("picture", "ticket", "signature", "inside")
    )
    data = {
        "children": [{}, {"picture": [picture]}],
        "trips": [{"where": "Rome", "ticket": [ticket]}],
        "signature": signature["content"],
        "inside": [inside, EMBEDDED],
    }
    stored = answer_with(cast.nobody, form_id, **data)
    assert stored.status_code == 422, "one question takes one file"
    data["inside"] = [inside]
    stored = answer_with(cast.nobody, form_id, **data)
    assert stored.status_code == 201, stored.text
    told = stored.json()["data"]
    assert told["children"][1]["picture"][0]["name"] == told["trips"][0]["ticket"][0]["name"] == "a.png"
    assert told["signature"] == signature["content"]
    for item in (picture, ticket, signature, inside):
        assert cast.alice.get(item["content"]).content == PNG
    assert answer_with(cast.nobody, form_id, inside=[EMBEDDED]).json()["data"] == {"inside": [EMBEDDED]}
    html = {**EMBEDDED, "content": "data:image/png,%3Cscript%3E"}
    for embedded, word in (
        ({**EMBEDDED, "name": "a.txt", "type": "text/plain"}, ".png"),
        (html, "not image"),
    ):
        refused = answer_with(cast.nobody, form_id, inside=[embedded])
        assert refused.status_code == 422 and word in errors(refused)["/data/inside/0"]


def test_what_an_answer_may_not_name(cast: People) -> None:
    form_id, other_id = form_with_files(cast.alice), form_with_files(cast.alice)
    taken, mine = uploaded(cast.nobody, form_id), uploaded(cast.nobody, form_id)
    of_cv = uploaded(cast.nobody, form_id, "cv", content=PDF, name="a.pdf", type="application/pdf")
    assert answer_with(cast.nobody, form_id, photos=[taken]).status_code == 201
    absent = {**mine, "content": mine["content"][:-12] + "000000000000"}
    for content, word in (
        (taken["content"], "belongs to another"),
        (of_cv["content"], "no such file"),
        (uploaded(cast.nobody, other_id)["content"], "no such file"),
        (absent["content"], "no such file"),
        (f"https://example.org{mine['content']}", "upload the file first"),
        ("data:text/plain,a", "upload the file first"),
        ("x", "upload the file first"),
        (mine["content"] + "/../x", "upload the file first"),
    ):
        refused = answer_with(cast.nobody, form_id, photos=[{**mine, "content": content}])
        assert refused.status_code == 422
        assert word in errors(refused)["/data/photos/0"], content
    twice = answer_with(cast.nobody, form_id, photos=[mine, mine])
    assert list(errors(twice)) == ["/data/photos/1"]
    many = [uploaded(cast.nobody, form_id) for _ in range(3)]
    assert list(errors(answer_with(cast.nobody, form_id, photos=many))) == ["/data/photos"]
    assert list(errors(answer_with(cast.nobody, form_id, signature="data:image/png,x"))) == [
        "/data/signature"
    ]
    path = f"/api/v1/forms/{form_id}/responses"
    dry = cast.nobody.post(f"{path}?dry_run=true", json={"data": {"photos": [mine]}})
    assert dry.json()["data"]["photos"][0]["name"] == "a.png"
    assert len(walk(cast.alice, path, "responses")) == 1
    assert answer_with(cast.nobody, form_id, photos=[mine]).status_code == 201, "a dry run takes nothing"


@pytest.mark.parametrize(
    "question, content, name, type, word",
    [
        ("cv", PDF, "cv.txt", "text/plain", ".pdf"),
        ("cv", PNG, "cv.pdf", "application/pdf", "not application/pdf"),
        ("cv", PNG, "cv.pdf", "image/png", "not application/pdf"),
        ("cv", PDF + bytes(3_000_000), "cv.pdf", "application/pdf", "2.86 MB"),
        ("photos", PNG, "a.jpg", "image/jpeg", "not image/jpeg"),
        ("photos", b"<html>", "a.png", "application/octet-stream", "not image/png"),
        ("photos", b"MZ\x90\0\3\0", "a.txt", "text/plain", "not text/plain"),
        ("photos", b"", "a.txt", "text/plain", "empty"),
        ("inside", b"hello", "a.txt", "text/plain", ".png"),
        ("signature", b"hello", "a.txt", "text/plain", "image/*"),
    ],
)
def test_what_a_question_does_not_take(
    appliance: Running, cast: People, question: str, content: bytes, name: str, type: str, word: str
) -> None:
    form_id = form_with_files(cast.alice)
    before = on_disk(appliance)
    refused = upload(cast.nobody, form_id, question, content, name=name, type=type)
    assert refused.status_code == 422, refused.text
    assert word in errors(refused)["/file"]
    assert on_disk(appliance) == before, "nothing is left"


def test_questions_that_take_no_files(cast: People) -> None:
    form_id = form_with_files(cast.alice)
    for question in ("name", "nothing", "drawn", "children"):
        refused = upload(cast.nobody, form_id, question)
        assert (refused.status_code, list(errors(refused))) == (422, ["/question"]), question
    body = {"title": "By schema", "schema": {"type": "object"}, "settings": {"public": True}}
    by_schema = cast.alice.post("/api/v1/forms", json=body).json()["form_id"]
    assert cast.alice.post(f"/api/v1/forms/{by_schema}/publish").status_code == 200
    assert upload(cast.nobody, by_schema).status_code == 422
    assert cast.nobody.post(f"/api/v1/forms/{form_id}/files", content=PNG).status_code == 400


HOSTILE = [
    "../../etc/passwd",
    "a\r\nSet-Cookie: x=1.png",
    'a"; filename=b.html',
    "naïve ☃ \u202etxt.csv",
    "x" * 296 + ".png",
    "日本語.png",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_data(cast: People, name: str) -> None:
    form_id = form_with_files(cast.alice)
    path = f"/api/v1/forms/{form_id}/files"
    sent = {"question": "photos", "name": name}
    answer = cast.nobody.post(path, params=sent, content=b"plain", headers={"content-type": "text/plain"})
    if name.endswith(".png"):
        answer = cast.nobody.post(path, params=sent, content=PNG, headers={"content-type": "image/png"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["name"].isprintable() and len(told["name"]) <= 200 and "/" not in told["name"]
    got = cast.alice.get(told["content"])
    assert got.status_code == 200 and "set-cookie" not in got.headers
    disposition = got.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=") and disposition.count('"') == 2


@pytest.mark.parametrize("type", ["text/html", "image/svg+xml", "text/javascript", "nonsense", "a/b\r\nx: y"])
def test_what_a_browser_would_run_is_only_ever_saved(cast: People, type: str) -> None:
    form_id = form_with_files(cast.alice)
    path = f"/api/v1/forms/{form_id}/files?question=photos&name=x"
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\nContent-Type: '
        + type.encode()
        + b"\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n"
    )
    answer = cast.nobody.post(path, content=body, headers={"content-type": "multipart/form-data; boundary=b"})
    assert answer.status_code == 201, answer.text
    got = cast.alice.get(answer.json()["content"])
    assert got.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in got.headers["content-security-policy"]
    assert got.headers["content-type"] == answer.json()["type"]
    assert "\n" not in answer.json()["type"]


MULTIPART = "multipart/form-data; boundary=b"


def part(name: str, content: bytes, end: bytes = b"\r\n") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x"\r\n\r\n'
    return head.encode() + content + end


@pytest.mark.parametrize(
    "body, type",
    [
        (b"", MULTIPART),
        (b"rubbish", MULTIPART),
        (b"--b\r\n", MULTIPART),
        (b"--b--\r\n", MULTIPART),
        (b"rubbish", "multipart/form-data"),
        (part("file", b"half", b""), MULTIPART),
        (part("other", b"x") + b"--b--\r\n", MULTIPART),
        (part("file", b"x") + part("file", b"y") + b"--b--\r\n", MULTIPART),
        (part("file", b"x") + part("more", b"y") + part("more", b"z") + b"--b--\r\n", MULTIPART),
    ],
)
def test_bodies_that_are_no_file(appliance: Running, cast: People, body: bytes, type: str) -> None:
    form_id = form_with_files(cast.alice)
    before = on_disk(appliance)
    path = f"/api/v1/forms/{form_id}/files?question=photos"
    refused = cast.nobody.post(path, content=body, headers={"content-type": type})
    assert refused.status_code == 400, refused.text
    assert on_disk(appliance) == before


def test_large_files_and_larger_ones(appliance: Running, cast: People) -> None:
    form_id, private = form_with_files(cast.alice), form_with_files(cast.alice, public=False)
    before = on_disk(appliance)
    largest = PNG + os.urandom(20 * MB - len(PNG))
    answer = upload(cast.nobody, form_id, content=largest)
    assert answer.status_code == 201
    assert cast.alice.get(answer.json()["content"]).content == largest
    path, raw = f"/api/v1/forms/{form_id}/files?question=photos", {"content-type": "image/png"}
    for more in (1, 100_000):
        assert cast.nobody.post(path, content=largest + bytes(more), headers=raw).status_code == 413
    assert upload(cast.nobody, private, content=largest).status_code == 401, "also while it is being sent"
    assert upload(cast.nobody, form_id, "nothing", content=largest).status_code == 422
    assert len(on_disk(appliance) - before) == 1


def test_no_file_is_ever_whole_in_memory(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    upload(cast.nobody, form_id)
    largest = PNG + bytes(20 * MB - len(PNG))
    before = peak(appliance)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: upload(cast.nobody, form_id, content=largest).status_code, range(16)))
    assert set(codes) == {201}
    assert peak(appliance) - before < 2 * 20 * MB, "of 320 MB"


def peak(appliance: Running) -> int:
    """The most that the API's processes ever had in memory, in bytes."""
    parents = [each.pid for each in supervisor.ask(appliance.paths) if each.name.startswith("api-")]
    children = [Path(f"/proc/{pid}/task/{pid}/children").read_text().split() for pid in parents]
    told = [Path(f"/proc/{pid}/status").read_text() for each in children for pid in each]
    return sum(int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024 for status in told)


def test_who_may_upload(cast: People) -> None:
    private = form_with_files(cast.alice, public=False)
    draft = create(cast.alice, settings={"public": True})["form_id"]
    with_pin = form_with_files(cast.alice, pin="1234")
    closed = form_with_files(cast.alice)
    cast.alice.post(f"/api/v1/forms/{closed}/close")
    link = make(cast.alice, private)["token"]
    for client, form_id, status in (
        (cast.nobody, private, 401),
        (cast.charlie, private, 404),
        (cast.alice, private, 201),
        (cast.nobody, draft, 404),
        (cast.nobody, "absent", 401),
        (cast.nobody, with_pin, 403),
        (cast.nobody, closed, 410),
        (cast.alice, closed, 201),
    ):
        assert upload(client, form_id).status_code == status, (form_id, status)
    assert upload(cast.nobody, private, x_form_link=link).status_code == 201
    assert upload(cast.nobody, private, x_form_link="x").status_code == 403
    assert upload(cast.nobody, with_pin, x_form_pin="1234").status_code == 201


def test_one_file_goes_into_one_response_of_twenty(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    item = uploaded(cast.nobody, form_id)

    def one(_: int) -> int:
        with appliance.client() as client:
            return answer_with(client, form_id, photos=[item]).status_code

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(one, range(20)))
    assert codes.count(201) == 1 and set(codes) <= {201, 409, 422}
    assert len(walk(cast.alice, f"/api/v1/forms/{form_id}/responses", "responses")) == 1


def test_an_edit_takes_files_and_keeps_those_of_before(cast: People) -> None:
    form_id = form_with_files(cast.alice)
    first, second, foreign = (uploaded(cast.nobody, form_id) for _ in range(3))
    path = answer_with(cast.nobody, form_id, photos=[first]).headers["location"]
    assert answer_with(cast.nobody, form_id, photos=[foreign]).status_code == 201

    def edit(*items: dict[str, Any]) -> httpx.Response:
        return cast.alice.patch(path, json={"data": {"photos": list(items)}})

    assert edit(foreign).status_code == 422
    assert edit(first, second).json()["data"]["photos"][1]["name"] == "a.png"
    assert edit(second).status_code == 200
    assert answer_with(cast.nobody, form_id, photos=[first]).status_code == 422, "its history has it"
    assert edit(first).status_code == 200
    assert cast.alice.get(first["content"]).status_code == 200
    assert "files" not in cast.alice.get(path).json()


def test_a_partial_response_opens_its_files_until_it_is_submitted(cast: People) -> None:
    form_id, token = form_with_files(cast.alice), new_token()
    item, other = uploaded(cast.nobody, form_id), uploaded(cast.nobody, form_id)
    path, headers = f"/api/v1/forms/{form_id}/partial/{token}", {"x-partial-token": token}
    assert cast.nobody.get(item["content"], headers=headers).status_code == 401
    assert cast.nobody.put(path, json={"data": {"photos": [item]}}).status_code == 201
    assert cast.nobody.get(item["content"], headers=headers).content == PNG
    assert cast.nobody.get(item["content"], headers={"x-partial-token": new_token()}).status_code == 401
    assert cast.nobody.get(other["content"], headers=headers).status_code == 401
    assert answer_with(cast.nobody, form_id, photos=[item]).status_code == 201
    assert cast.nobody.get(item["content"], headers=headers).status_code == 401, "a response has it now"


def test_a_client_that_hangs_up_leaves_no_file(appliance: Running, cast: People) -> None:
    form_id = form_with_files(cast.alice)
    before = on_disk(appliance)

    def broken() -> Iterator[bytes]:
        yield PNG
        raise ConnectionResetError

    path = f"/api/v1/forms/{form_id}/files?question=photos"
    with httpx.Client(base_url=appliance.url, trust_env=False) as client:
        with pytest.raises(ConnectionResetError):
            client.post(path, content=broken(), headers={"content-type": "image/png"})
    assert upload(cast.nobody, form_id).status_code == 201
    assert len(on_disk(appliance) - before) == 1


def test_faults_are_told_in_the_forms_language(cast: People) -> None:
    """Of an upload in the form's, of an answer in that of who answers."""
    form_id = form_with_files(cast.alice, language="de")
    large = upload(cast.nobody, form_id, "cv", PDF + bytes(3_000_000), name="a.pdf", type="application/pdf")
    assert errors(large)["/file"].startswith("Die Datei darf nicht größer als 2.86 ")
    items = [uploaded(cast.nobody, form_id) for _ in range(3)]
    body = {"data": {"photos": items}, "meta": {"language": "fr"}}
    many = cast.nobody.post(f"/api/v1/forms/{form_id}/responses", json=body)
    assert "2" in errors(many)["/data/photos"] and "fichiers" in errors(many)["/data/photos"]
