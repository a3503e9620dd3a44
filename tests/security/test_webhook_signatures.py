"""What is signed here, the reference library verifies."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
import standardwebhooks

from appliance.security import sealing, webhook_signatures
from appliance.settings import HOME

BODY = '{"type":"response.created","data":{"name":"Zoë"}}'


def signed(*secrets: str, at: float = 0) -> dict[str, str]:
    now = int(at or time.time())
    return webhook_signatures.headers("msg_1", now, BODY.encode(), secrets)


def test_the_rules_own_example() -> None:
    """From the specification's test vectors."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = webhook_signatures.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret]
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_reference_library_verifies() -> None:
    secret = webhook_signatures.new_secret()
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert standardwebhooks.Webhook(secret).verify(BODY, signed(secret))
    for changed in ("webhook-id", "webhook-timestamp"):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(
                BODY, signed(secret) | {changed: str(int(time.time()) + 1)}
            )
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(webhook_signatures.new_secret()).verify(BODY, signed(secret))


def test_while_a_secret_is_replaced_both_hold() -> None:
    old, new = webhook_signatures.new_secret(), webhook_signatures.new_secret()
    headers = signed(new, old)
    for secret in (old, new):
        assert standardwebhooks.Webhook(secret).verify(BODY, headers)


def test_a_sealed_secret_opens_for_its_name_only(tmp_path: Path) -> None:
    sealer = sealing.open_sealer(tmp_path / "key")
    sealed = sealer.seal("webhook-1", "whsec_x")
    assert b"whsec" not in sealed
    assert sealed != sealer.seal("webhook-1", "whsec_x")
    assert sealing.open_sealer(tmp_path / "key").open("webhook-1", sealed) == "whsec_x"
    other = sealing.open_sealer(tmp_path / "other")
    for way, name, content in (
        (sealer, "webhook-2", sealed),
        (other, "webhook-1", sealed),
        (sealer, "webhook-1", sealed[:-1]),
        (sealer, "webhook-1", b""),
    ):
        with pytest.raises(sealing.Broken):
            way.open(name, content)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


# -- what docs/webhooks.md tells receivers to do


def _told(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", (HOME / "docs" / "webhooks.md").read_text(), re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return str(found)


def test_the_documents_shell_commands_make_the_signature(tmp_path: Path) -> None:
    secret = webhook_signatures.new_secret()
    headers = signed(secret)
    (tmp_path / "body").write_text(BODY)
    environ = {"PATH": os.environ["PATH"], "secret": secret, "id": headers["webhook-id"]}
    made = subprocess.run(
        ["sh", "-ec", _told("sh", "hexkey")], cwd=tmp_path, capture_output=True, text=True, check=True,
        env=environ | {"timestamp": headers["webhook-timestamp"]},
    )  # fmt: skip
    assert f"v1,{made.stdout.strip()}" == headers["webhook-signature"]


def test_the_documents_node_function_verifies() -> None:
    old, new = webhook_signatures.new_secret(), webhook_signatures.new_secret()
    headers = signed(new, old)
    stale = signed(new, at=time.time() - 600)
    calls = [
        (old, headers, BODY),
        (new, headers, BODY),
        (new, headers, BODY + " "),
        (webhook_signatures.new_secret(), headers, BODY),
        (new, stale, BODY),
    ]
    code = _told("js", "timingSafeEqual")
    code += f"console.log(JSON.stringify({json.dumps(calls)}.map((each) => verify(...each))))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True, False, False, False]
