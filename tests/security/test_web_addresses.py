"""What is a web address, and what only looks like one."""

from __future__ import annotations

import pytest

from appliance.security.web_addresses import BadAddress, WebAddress, parse


@pytest.mark.parametrize(
    "text, host, port, target, authority",
    [
        ("https://example.org", "example.org", 443, "/", "example.org"),
        ("HTTPS://Example.ORG./a?b=c&d=%20", "example.org", 443, "/a?b=c&d=%20", "example.org"),
        ("https://example.org:8443/", "example.org", 8443, "/", "example.org:8443"),
        ("http://127.0.0.1:80/x", "127.0.0.1", 80, "/x", "127.0.0.1"),
        ("https://[2001:DB8::1]:444?q", "2001:db8::1", 444, "/?q", "[2001:db8::1]:444"),
        ("https://[::ffff:127.0.0.1]/", "::ffff:7f00:1", 443, "/", "[::ffff:7f00:1]"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
        ("https://my_host-1.example/~a/(b);c=1,2", "my_host-1.example", 443, "/~a/(b);c=1,2", ""),
        ("https://localhost/", "localhost", 443, "/", "localhost"),
        ("https://example.org/a:b@c/[x]", "example.org", 443, "/a:b@c/[x]", "example.org"),
    ],
)
def test_addresses(text: str, host: str, port: int, target: str, authority: str) -> None:
    found = parse(text)
    assert found[1:] == (host, port, target)
    assert found.authority == (authority or host)


@pytest.mark.parametrize(
    "text",
    [
        "", "example.org", "/hook", "//example.org/", "https:", "https://", "https:///a", "https:example.org",
        "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "javascript:alert(1)", "unix:///x",
        "https://me@example.org/", "https://me:word@example.org/", "https://@example.org/",
        "https://example.org@127.0.0.1/", "https://a%40b@example.org/", "https://example.org/#there",
        "https://example.org/a\r\nx: y", "https://example.org/a\nb", "https://exa\tmple.org/",
        " https://example.org",
        "https://example.org/a b", "https://example.org\\@127.0.0.1/", "https://example.org/\x00", "https://ex\x7f.org",
        "https://example.org:0/", "https://example.org:65536/", "https://example.org:-1/", "https://example.org:/",
        "https://example.org:80a/", "https://example.org:８０/",
        "http://0x7f.1/", "http://0x7f000001/", "http://2130706433/", "http://017700000001/", "http://127.1/",
        "http://0177.0.0.1/", "http://127.0.0.1.2/", "http://127.0.0.256/", "http://1.2.3.0x4/", "http://127.0.0.01/",
        "https://[::1/", "https://::1/", "https://[fe80::1%eth0]/", "https://[127.0.0.1]/", "https://[::1]x/",
        "https://example..org/", "https://.example.org/", "https://example.org../", "https://-a.org/", "https://a-.org/",
        f"https://{'a' * 64}.org/", f"https://{'a.' * 130}org/", "https://exa%6dple.org/", "https://ex,ample.org/",
        "https://１２７.0.0.1x/ü", "https://①②⑦.⓪.⓪.1１１１/", "https://example.org/ü",
        'https://example.org/"', "https://\ud800.org/",
        "https://example.org/" + "a" * 2000,
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(BadAddress):
        parse(text)


def test_a_log_tells_no_path() -> None:
    assert parse("https://example.org:8443/secret?token=x").shown == "https://example.org:8443"
    assert isinstance(parse("https://example.org"), WebAddress)
