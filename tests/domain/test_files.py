"""What a file is, which questions take it, and where data names it."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest

from appliance.domain.file_questions import file_plan
from appliance.domain.file_rule import file_of
from appliance.domain.file_type import UNKNOWN, disagrees, is_accepted, plain_name, plain_type
from appliance.domain.message import Message
from appliance.domain.quota import BadQuota, Counted, counted
from tests.domain.forms import Json, answer_faults, check_answers, form

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20)
ZIP, OLE, EXE = b"PK\x03\x04\x14\0\0\0", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0", b"MZ\x90\0\x03\0\0\0"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    "head, kind, name",
    [
        (PNG, "image/png", "a.png"),
        (PNG, UNKNOWN, "a.png"),
        (PNG, UNKNOWN, "a"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpg", "a.jpg"),
        (b"%PDF-1.4\n%\xe2\xe3", "application/pdf", "a.PDF"),
        (ZIP, WORD, "a.docx"),
        (ZIP, "application/x-zip-compressed", "a.zip"),
        (ZIP, "application/x-of-some-program", "a.xyz"),
        (b"%PDF-1.5\n\xe2\xe3\0", "application/illustrator", "a.ai"),
        (b"II*\0" + bytes(20), "image/x-nikon-nef", "a.nef"),
        (b"\0\1\0\0\0" + bytes(20), "font/ttf", "a.ttf"),
        (b"\x8b\2\0\0", UNKNOWN, "a.br"),
        (OLE, "application/msword", "a.doc"),
        (OLE, "application/vnd.ms-excel", "a.xls"),
        (b"\0\0\0\x20ftypheic" + bytes(20), "image/heif", "a.heic"),
        (b"\x1a\x45\xdf\xa3" + b"\x42\x82\x84webm" + bytes(20), "audio/webm", "a.webm"),
        (b"MZ, a town", "text/plain", "a.txt"),
        (b"BM;1;2\n", "text/csv", "a.csv"),
        (b"plain", "text/plain", "a.txt"),
        ("é\u2028\n".encode(), "text/markdown", "a.md"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml", "a.svg"),
        (b"\x00\x01\x02\x03", "application/x-of-some-program", "a.bin"),
    ],
)
def test_bytes_that_agree(head: bytes, kind: str, name: str) -> None:
    assert disagrees(head, kind, name) is None


@pytest.mark.parametrize(
    "head, kind, name, told",
    [
        (PNG, "image/jpeg", "a.jpg", "not image/jpeg"),
        (PNG, "image/png", "a.pdf", "not application/pdf"),
        (PNG, "text/plain", "a.txt", "is image/png, not text/plain"),
        (EXE, "application/pdf", "a.pdf", "not application/pdf"),
        (EXE, "text/plain", "a.txt", "not text/plain"),
        (EXE, "application/x-of-some-program", "a.bin", "x-msdownload"),
        (b"<html><script>", "image/png", "a.png", "not image/png"),
        (b"<html><script>", UNKNOWN, "a.gif", "not image/gif"),
        (b"<html><script>", "video/mp4", "a.mp4", "not video/mp4"),
        (b"hello", WORD, "a.docx", "not " + WORD),
        (PNG, "video/mp4", "a.mp4", "is image/png, not video/mp4"),
    ],
)
def test_bytes_that_are_something_else(head: bytes, kind: str, name: str, told: str) -> None:
    assert told in (disagrees(head, kind, name) or "")


@pytest.mark.parametrize(
    "given, name",
    [
        ("a.png", "a.png"),
        ("C:\\docs\\a.png", "a.png"),
        ("../../etc/passwd", "passwd"),
        ("a\r\n\0b\x85.png", "ab.png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800x", "x"),
        ("/", "file"),
        ("", "file"),
        (None, "file"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
        ("." * 300, "." * 200),
        ("日本語 é.pdf", "日本語 é.pdf"),
    ],
)
def test_names_as_they_are_kept(given: str | None, name: str) -> None:
    assert plain_name(given) == name


@pytest.mark.parametrize(
    "given, name, kind",
    [
        ("image/PNG", "a", "image/png"),
        ("text/html; charset=utf-8", "a", "text/html"),
        ("application/vnd.ms-excel", "a.CSV", "text/csv"),
        ("application/vnd.ms-excel", "a.xls", "application/vnd.ms-excel"),
        ("", "a", UNKNOWN),
        (None, "a", UNKNOWN),
        ("png", "a", UNKNOWN),
        ("a/b\r\nX: y", "a", UNKNOWN),
        ("é/b", "a", UNKNOWN),
        ("a/" + "b" * 200, "a", UNKNOWN),
    ],
)
def test_types_as_they_are_kept(given: str | None, name: str, kind: str) -> None:
    assert plain_type(given, name) == kind


def test_accept_as_browsers_read_it() -> None:
    accepted = (".pdf", "image/*", "text/plain")
    for name, kind, fits in (
        ("a.PDF", "x/y", True),
        ("a.png", "image/png", True),
        ("a", "text/plain", True),
        ("a.txt", "text/html", False),
        ("a.pdf.exe", UNKNOWN, False),
        ("a", "imagex/png", False),
    ):
        assert is_accepted(accepted, name, kind) == fits, (name, kind)
    assert is_accepted(("*/*",), "a", "x/y")


def _file(name: str, **more: Any) -> Json:
    return {"type": "file", "name": name, **more}


def test_where_files_may_be() -> None:
    plan = file_plan(
        form(
            {"type": "panel", "name": "p", "elements": [_file("a", valueName="b", maxSize=10)]},
            {"type": "paneldynamic", "name": "d", "templateElements": [_file("a", acceptedTypes=" .PDF , ")]},
            {
                "type": "matrixdropdown",
                "name": "m",
                "rows": ["r/1"],
                "columns": [{"name": "c"}],
                "detailPanelMode": "underRow",
                "detailElements": [{"type": "signaturepad", "name": "s", "storeDataAsText": False}],
            },
            {"type": "text", "name": "t"},
        )
    )
    assert [rule.accepted for rule in plan.find("a")] == [(), (".pdf",)]
    assert plan.find("b") == plan.find("t") == plan.find("m") == ()
    assert plan.find("s")[0].apart and plan.find("s")[0].is_signature
    data = {
        "b": [{"content": "1"}, {"content": "2"}],
        "d": [{}, {"a": [{"content": "3"}]}],
        "m": {"r/1": {"s": "4"}},
        "t": "5",
    }
    found = [(one.path, one.content) for one in plan.named(data, "/data")]
    assert found == [("/data/b/0", "1"), ("/data/b/1", "2"), ("/data/d/1/a/0", "3"), ("/data/m/r~11/s", "4")]
    for odd in ({"b": "x", "d": {"a": 1}, "m": [1]}, {"b": [1], "d": [1], "m": {"r": 1}}, {}):
        assert list(plan.named(odd, "")) == [], "data of another version is walked too"
    assert not file_plan(form({"type": "text", "name": "t"}))


def test_what_a_question_says_of_a_file() -> None:
    question = _file("a", maxSize=10, acceptedCategories=["image"], acceptedTypes="text/*")
    (rule,) = file_plan(form(question)).find("a")
    assert rule.fault("a.png", "x/y", 10) is None
    assert rule.fault("a.txt", "text/plain", 1) is None
    too_large = rule.fault("a.png", "x/y", 11)
    assert isinstance(too_large, Message) and "10 Bytes" in too_large.told("")
    assert ".png" in str(rule.fault("a.pdf", "application/pdf", 1))


@pytest.mark.parametrize(
    "content, ids",
    [
        ("/api/v1/forms/f-1/files/a-b", ("f-1", "a-b")),
        ("/api/v1/forms/f-1/files/a-b/", None),
        ("/api/v1/forms/f-1/files/a-b?x", None),
        ("/api/v1/forms/f-1/files/a-b\n", None),
        ("https://example.org/api/v1/forms/f-1/files/a-b", None),
        ("/api/v1/forms/../files/a", None),
        ("data:,", None),
    ],
)
def test_which_file_a_content_names(content: str, ids: tuple[str, str] | None) -> None:
    assert file_of(content) == ids


def test_what_a_quota_counts() -> None:
    made = form(
        {"type": "dropdown", "name": "q", "valueName": "k=", "choices": [1, "x"], "showNoneItem": True},
        {"type": "dropdown", "name": "carried", "choicesFromQuestion": "q"},
        {"type": "boolean", "name": "yes"},
        {"type": "checkbox", "name": "many", "choices": list(range(60))},
        {"type": "dropdown", "name": "late", "choices": [1]},
    )
    assert counted(made, "q", "1") == Counted("k=", "k%3D=1") == counted(made, "k=", 1)
    assert counted(made, "q", "none").term == "k%3D=none"
    for name, value, field in (
        ("q", "y", "value"),
        ("q", True, "value"),
        ("carried", 1, "question"),
        ("yes", True, "question"),
        ("late", 1, "question"),
        ("absent", 1, "question"),
    ):
        with pytest.raises(BadQuota) as refused:
            counted(made, name, value)
        assert refused.value.field == field, name


@pytest.mark.parametrize(
    "content",
    ["javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:alert(1)", "vbscript:x", "file:///etc"],
)
def test_the_content_of_a_file_is_no_script(content: str) -> None:
    made = form(_file("a", storeDataAsText=True))
    told = answer_faults(made, {"a": [{"name": "a.png", "type": "image/png", "content": content}]})
    assert [path for path, _ in told] == ["/data/a/0/content"]


def test_the_name_of_a_file_is_plain() -> None:
    made = form(_file("a", storeDataAsText=True))
    given = {"name": "../../a\u202egpj.txt\r\n", "type": "text/plain", "content": "data:text/plain,a"}
    assert check_answers(made, {"a": [given]}) == {"a": [{**given, "name": "agpj.txt"}]}


def _url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


EMBEDDED = _file("a", acceptedTypes="image/*,.txt", maxSize=10_000)


@pytest.mark.parametrize(
    "name, kind, content",
    [
        ("a.png", "image/png", _url(PNG, "image/png")),
        ("a.png", "image/png", _url(PNG + bytes(9_000), "image/png")),
        ("a.png", "", _url(PNG, "image/png")),
        ("a", "image/png", "data:image/png;base64,iVBORw0="),
        ("a", "image/png", "data:image/png;base64," + quote(base64.b64encode(PNG).decode(), safe="")),
        ("a", "image/png", "data:image/png;base64," + base64.encodebytes(PNG).decode().rstrip("=\n")),
        ("a.svg", "image/svg+xml", "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"),
        ("a.txt", "text/plain", "data:,plain"),
        ("a.txt", "text/plain", "https://example.org/a"),
        ("a", "image/png", "/some/path"),
        ("claimed", "claimed/type", "/api/v1/forms/f/files/of-which-the-row-is-judged"),
    ],
)
def test_files_within_the_answer_that_the_question_takes(name: str, kind: str, content: str) -> None:
    given = {"name": name, "content": content} | ({"type": kind} if kind else {})
    assert check_answers(form(EMBEDDED), {"a": [given]}) == {"a": [given]}


@pytest.mark.parametrize(
    "name, kind, content, told",
    [
        ("a.pdf", "application/pdf", _url(b"%PDF-1.4", "application/pdf"), "takes image/*, .txt"),
        ("a.pdf", "", _url(b"%PDF-1.4", "application/pdf"), "takes image/*, .txt"),
        ("a", "", _url(PNG, ""), "takes image/*, .txt"),
        ("a.png", "image/png", _url(b"<script>", "image/png"), "not image/png"),
        ("a.png", "image/png", "data:image/png,%3Cscript%3E", "not image/png"),
        ("a.jpg", "image/png", _url(PNG, "image/png"), "not image/jpeg"),
        ("a.txt", "text/plain", _url(EXE, "text/plain"), "not text/plain"),
        ("a.png", "image/png", "data:image/png;base64,iVBORw0KGgo!!!!!!!", "not base64"),
        ("a.png", "image/png", _url(PNG + bytes(10_000), "image/png"), "10 KB"),
        ("a.pdf", "application/pdf", "https://example.org/a.pdf", "takes image/*, .txt"),
    ],
)
def test_files_within_the_answer_that_it_does_not_take(name: str, kind: str, content: str, told: str) -> None:
    """Held to what an upload is held to."""
    given = {"name": name, "content": content} | ({"type": kind} if kind else {})
    ((path, message),) = answer_faults(form(EMBEDDED), {"a": [given]})
    assert path == "/data/a/0" and told in message, message
