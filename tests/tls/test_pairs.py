"""What may be served: every way in which a certificate and its key can be wrong is told, with what to do."""

from __future__ import annotations

import datetime as dt
import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from appliance.settings import HOME
from appliance.tls import distant, pairs
from appliance.tls.pairs import BadPair
from tests import disks
from tests.tls.authority import DAY, NOW, Authority, key_pem, new_key, pem


def judge(chain: Path, key: Path, now: dt.datetime = NOW) -> pairs.Pair:
    pair = pairs.read(chain, key)
    pairs.check(pair, now, str(chain), str(key))
    return pair


def test_a_good_one_is_read_whole(tmp_path: Path, authority: Authority) -> None:
    chain, key = authority.write(tmp_path, "Forms.example.org", "192.0.2.1")
    pair = judge(chain, key)
    assert pair.names == ("forms.example.org", "192.0.2.1")
    assert len(pair.chain) == 2
    assert not pair.is_self_signed
    assert pair.lifetime == 91 * DAY
    both = tmp_path / "both.pem"
    both.write_bytes(b"# a word before\n" + pair.pem())
    assert judge(both, both).pem() == pair.pem()


@pytest.mark.parametrize("key_form", ["PKCS8", "TraditionalOpenSSL"])
def test_one_file_may_hold_both_in_any_order(tmp_path: Path, authority: Authority, key_form: str) -> None:
    key = new_key()
    form = getattr(serialization.PrivateFormat, key_form)
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    both = tmp_path / "both.pem"
    both.write_bytes(text + pem(authority.leaf("a.test", key=key), authority.intermediate))
    assert judge(both, both).names == ("a.test",)


def test_openssls_own_files_are_read(tmp_path: Path) -> None:
    """With EC PARAMETERS before the key."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", "key.pem", "-out", "cert.pem", "-days", "30", "-subj", "/CN=x",
         "-addext", "subjectAltName=DNS:x.test"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    parameters = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1"], check=True, capture_output=True
    ).stdout
    key = tmp_path / "key.pem"
    key.write_bytes(parameters + key.read_bytes())
    assert judge(tmp_path / "cert.pem", key, dt.datetime.now(dt.UTC) + DAY).is_self_signed


def test_every_fault_is_told_with_the_next_step(tmp_path: Path, authority: Authority) -> None:
    key, other = new_key(), new_key()
    leaf = authority.leaf("a.test", key=key)
    chain, good_key = pem(leaf, authority.intermediate), key_pem(key)
    cases = [
        (b"nothing", good_key, "holds no certificate in PEM form"),
        (leaf.public_bytes(serialization.Encoding.DER), good_key, "holds no certificate in PEM form"),
        (chain[:200], good_key, "holds no certificate in PEM form"),
        (chain, b"nothing", "holds no private key in PEM form"),
        (chain, key_pem(key, b"secret"), "is encrypted"),
        (chain, good_key[:60] + b"AAAA" + good_key[64:], "is damaged"),
        (chain, key_pem(other), "do not belong together"),
        (pem(authority.intermediate, leaf), good_key, "the certificate of the key is number 2 in it"),
        (pem(leaf, authority.root), good_key, "certificate 2 has not signed certificate 1"),
        (pem(leaf, authority.root, authority.intermediate), good_key, "certificate 2 has not signed"),
    ]
    for chain_text, key_text, expected in cases:
        chain_path, key_path = tmp_path / "c.pem", tmp_path / "k.pem"
        chain_path.write_bytes(chain_text)
        key_path.write_bytes(key_text)
        with pytest.raises(BadPair) as fault:
            judge(chain_path, key_path)
        assert expected in str(fault.value)
        assert "; next: " in str(fault.value)
        assert "BEGIN" not in str(fault.value)


@pytest.mark.parametrize(
    "moment, expected",
    [(NOW - 2 * DAY, "is valid from"), (NOW, None), (NOW + 89 * DAY, None), (NOW + 91 * DAY, "expired on")],
)
def test_its_time_is_that_of_the_clock(
    tmp_path: Path, authority: Authority, moment: dt.datetime, expected: str | None
) -> None:
    chain, key = authority.write(tmp_path, "a.test")
    if expected is None:
        judge(chain, key, moment)
        return
    with pytest.raises(BadPair, match=expected):
        judge(chain, key, moment)


def test_what_cannot_be_read_is_named(tmp_path: Path, authority: Authority) -> None:
    chain, key = authority.write(tmp_path, "a.test")
    with pytest.raises(BadPair, match=r"none\.pem: there is no such file; next: "):
        judge(chain, tmp_path / "none.pem")
    with pytest.raises(BadPair, match=r"cannot be read: Is a directory; next: "):
        judge(tmp_path, key)


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_a_pipe_that_nobody_writes_into_is_refused_at_once(
    tmp_path: Path, authority: Authority, which: str
) -> None:
    chain, key = authority.write(tmp_path, "a.test")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    chain, key = (pipe, key) if which == "certificate" else (chain, pipe)
    ask = "import sys, pathlib; from appliance.tls import pairs; pairs.read(*map(pathlib.Path, sys.argv[1:]))"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME)}
    call = [sys.executable, "-P", "-c", ask, str(chain), str(key)]
    told = subprocess.run(call, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert "BadPair" in told.stderr and "is no file but a pipe" in told.stderr and "; next: " in told.stderr


def test_a_mount_that_does_not_answer_is_told_in_time(tmp_path: Path, authority: Authority) -> None:
    """And nobody is left to wait there, nor is the next who asks."""
    chain, key = authority.write(tmp_path, "a.test")
    with disks.silent() as away:
        for both in ((chain, away / "key.pem"), (away / "chain.pem", key)):
            with pytest.raises(
                BadPair, match=r"could not be read within 1 s: .*; next: see which: timeout 5 ls"
            ):
                pairs.read(*both, seconds=1)
        assert pairs.read(chain, key, seconds=30).names == ("a.test",)
    assert not distant._left


def test_a_child_reads_what_we_would(tmp_path: Path, authority: Authority) -> None:
    chain, key = authority.write(tmp_path, "a.test")
    odd = tmp_path / "odd"
    odd.write_bytes(bytes(range(256)) * 8192)
    for path in (chain, key, odd, tmp_path, tmp_path / "none", Path("/dev/null")):
        (seen,) = distant.look([path], seconds=30, read=True)
        assert seen == distant.see(path, read=True)
    assert seen == distant.look([Path("/dev/null")], seconds=30)[0]
    assert distant.look([odd], seconds=30, read=True)[0].text == odd.read_bytes()[: distant.MOST].decode(
        "latin-1"
    )


def test_a_chain_ends_with_the_first_of_it(tmp_path: Path, authority: Authority) -> None:
    """Clients refuse a good certificate below an authority's that is over, or that is not valid yet."""
    key = new_key()
    chain_path, key_path = tmp_path / "c.pem", tmp_path / "k.pem"
    key_path.write_bytes(key_pem(key))
    leaf = authority.leaf("a.test", key=key)
    for begins, ends, expected in (
        (NOW - 9 * DAY, NOW + DAY, None),
        (NOW - 9 * DAY, NOW - DAY, "expired on"),
        (NOW + DAY, NOW + 900 * DAY, "is valid from"),
    ):
        chain_path.write_bytes(pem(leaf, authority.renewed(begins, ends)))
        pair = pairs.read(chain_path, key_path)
        assert (pair.ends, pair.begins) == (
            min(leaf.not_valid_after_utc, ends.replace(microsecond=0)),
            max(leaf.not_valid_before_utc, begins.replace(microsecond=0)),
        )
        if expected is None:
            judge(chain_path, key_path)
            continue
        with pytest.raises(BadPair, match=expected):
            judge(chain_path, key_path)


def test_what_openssl_would_refuse_is_told_with_the_next_step(tmp_path: Path) -> None:
    """And nginx with it, in words of its own; what it takes is taken here too."""
    _authority(tmp_path)
    for name, kind, digest, expected in (
        ("rsa2048", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "-sha256", None),
        ("rsa1024", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], "-sha256", "has 1024 bits"),
        ("p192", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-192"], "-sha256", "has 192 bits"),
        ("p224", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"], "-sha256", None),
        ("md5", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "-md5", "by way of MD5"),
        ("sha1", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "-sha1", "by way of SHA1"),
        ("ed25519", ["-algorithm", "ED25519"], "-sha256", None),
    ):
        chain, key = _signed(tmp_path, name, kind, digest)
        is_taken = _is_loaded(chain, key)
        assert is_taken == (expected is None), name
        if is_taken:
            judge(chain, key, dt.datetime.now(dt.UTC))
            continue
        with pytest.raises(BadPair, match=rf"{expected}.*; next: "):
            judge(chain, key, dt.datetime.now(dt.UTC))


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _authority(folder: Path) -> None:
    _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=ca")  # fmt: skip


def _signed(folder: Path, name: str, kind: list[str], digest: str) -> tuple[Path, Path]:
    key, request, chain = (f"{name}.{suffix}" for suffix in ("key", "csr", "pem"))
    _openssl(folder, "genpkey", *kind, "-out", key)
    _openssl(folder, "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    _openssl(folder, "x509", "-req", "-in", request, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", "9", digest, "-out", chain)  # fmt: skip
    return folder / chain, folder / key


def _is_loaded(chain: Path, key: Path) -> bool:
    """By OpenSSL, at the level that Debian has."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT@SECLEVEL=2")
    try:
        context.load_cert_chain(chain, key)
    except ssl.SSLError:
        return False
    return True
