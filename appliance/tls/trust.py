"""Whether clients would take a certificate: OpenSSL is asked, as a client that knows this machine's roots."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from pathlib import Path

_TURNS = 4
"""A handshake is over after one or two."""


def find_doubt(path: Path, roots: ssl.SSLContext | None = None) -> str | None:
    """Why it is not trusted, in OpenSSL's words; None when it is.

    Whether its names are those that clients call is not looked at. What OpenSSL does not serve at all, such
    as a key too short, nobody trusts.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server.load_cert_chain(path)
    except (OSError, ssl.SSLError) as fault:
        return str(fault)
    client = roots or ssl.create_default_context()
    client.check_hostname = False
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    here = server.wrap_bio(to_server, to_client, server_side=True)
    there = client.wrap_bio(to_client, to_server)
    for _ in range(_TURNS):
        try:
            there.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as fault:
            return fault.verify_message
        else:
            return None
        with contextlib.suppress(ssl.SSLWantReadError):
            here.do_handshake()
    return "the handshake does not end"


def is_trusted(text: bytes, folder: Path) -> bool:
    """The same of a text with chain and key, which lies in the folder for that moment."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".judged-") as file:  # mode 0600
        file.write(text)
        file.flush()
        return find_doubt(Path(file.name)) is None
