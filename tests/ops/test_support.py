"""`appliance support`: what is planted everywhere is nowhere in it, and it is made whatever is broken."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import os
import re
import secrets
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from appliance import known_secrets, settings
from appliance.clock import parse_rfc3339, utc_now
from appliance.errors import CannotStart
from appliance.ops import support, support_logs, support_mask, support_parts, support_secrets, support_texts
from appliance.settings import HOME
from appliance.stores import dead_letters, mongo
from tests import disks
from tests.api.accounts import add, add_key
from tests.api.forms import publish, submit
from tests.ops.command import appliance_command
from tests.ops.conftest import SECRETS, Dotted
from tests.running import Running
from tests.runtime.servers import until

FRAME = '  File "/a/b.py", line 3, in f'
TRACEBACK = f"Traceback (most recent call last):\n{FRAME}\n    raise X\nappliance.errors.Invalid"
NEVER = re.compile(r"(?!)")


def run(appliance: Dotted, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}
    return appliance_command("support", *arguments, data=appliance.paths.data, **environ)


def opened(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        return _texts(tar)


def _texts(tar: tarfile.TarFile) -> dict[str, str]:
    found = {}
    for entry in tar:
        content = tar.extractfile(entry)
        assert content is not None
        found[entry.name.removeprefix("appliance-support/")] = content.read().decode()
    return found


def forms(value: str) -> set[str]:
    """The ways to write it, put together without the code that is judged."""
    raw = value.encode()
    found = {value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value), raw.hex()}
    for before in (b"", b"x", b"xy"):
        whole = base64.b64encode(before + raw + b"zzz").decode()
        found.add(whole[4 : 4 + len(base64.b64encode(raw).decode()) - 8])
    return {form for form in found if len(form) >= 8}


def leaks(planted: dict[str, str], texts: dict[str, str]) -> set[str]:
    """What of it is there, by the names that the test has for it."""
    whole = "\n".join(texts.values())
    return {what for what, value in planted.items() if any(form in whole for form in forms(value))}


class Planted:
    """`secrets` are known to the appliance, `persons` and `tokens` only by what they look like."""

    def __init__(self, appliance: Dotted) -> None:
        mark = secrets.token_hex(4)
        self.values: dict[str, str] = {f"setting {name}": value for name, value in SECRETS.items()}
        self.values["password of SMTP_URL"] = "sesame/mail"
        for path in appliance.paths.secrets.iterdir():
            if path.suffix != ".lock" and path.name != "seen.json":
                text = path.read_text().strip()
                if path.suffix == ".json":
                    self.values |= {
                        f"{path.name} {n}": key["secret"] for n, key in enumerate(json.loads(text))
                    }
                else:
                    self.values |= {
                        f"{path.name} {n}": line
                        for n, line in enumerate(text.splitlines())
                        if "#" not in line
                    }
        self.values = {what: value for what, value in self.values.items() if len(value) >= 8}
        key = (appliance.paths.tls / "self-signed.key").read_text().splitlines()
        self.values |= {
            f"key of the certificate {n}": line for n, line in enumerate(key[1:-1]) if len(line) > 16
        }
        self.known = frozenset(self.values)
        self.values |= {
            "mail in a log": f"ada.{mark}@sesame-mail.test",
            "its domain": "sesame-mail.test",
            "mail in an address": f"bob.{mark}%40sesame-mail.test",
            "IPv4": f"203.0.113.{secrets.randbelow(200) + 11}",
            "IPv6": f"2001:db8:{mark[:4]}:{mark[4:]}::5e5a",
            "answer in an error": f"sesame answer of the heart {mark}",
            "answer in a field": f"sesame answer in a field {mark}",
            "answer that is a number": f"4917{secrets.randbelow(9_000_000_000) + 1_000_000_000}",
            "query of a request": f"sesamequery{mark}",
            "slug of a form": f"sesame-slug-{mark}",
            "name in a path": f"sesame-person-{mark}",
            "bearer": f"Sesame-Bearer-{secrets.token_urlsafe(24)}",
            "password in an address": f"sesame-url-password-{mark}",
        }
        self._at_work(appliance)
        self._in_logs(appliance)

    def _at_work(self, appliance: Dotted) -> None:
        """By the API, as everybody does."""
        values = self.values
        password = SECRETS["APPLIANCE_ADMIN_PASSWORD"]
        with appliance.client(appliance.login(password=password)) as admin:
            values["token of a session"] = admin.headers["authorization"].removeprefix("Bearer ")
            form_id = publish(admin, public=True)
            values["answer"] = f"sesame answer to a form {secrets.token_hex(4)}"
            assert submit(admin, form_id, words=values["answer"]).status_code == 201
            assert submit(admin, form_id, likes=values["answer"]).status_code == 422
            values["mail of an account"] = f"carol.{secrets.token_hex(4)}@sesame-account.test"
            user = add(admin, email=values["mail of an account"])
            values["name of an account"] = user["username"]
            values["API key"] = add_key(admin, "responses:read")["key"]
            body = {
                "url": "https://hooks.sesame-webhook.test/x",
                "form_id": form_id,
                "events": ["response.created"],
            }
            made = admin.post("/api/v1/webhooks", json=body)
            assert made.status_code == 201, made.text
            values["secret of a webhook"] = made.json()["secret"]
            admin.get(f"/api/v1/forms?cursor={values['query of a request']}")
            admin.get(f"/f/{values['slug of a form']}?pin={values['query of a request']}")
            admin.get(f"/api/v1/users/{values['name in a path']}")
        letter: dict[str, Any] = {
            "_id": secrets.token_hex(8), "task": "notify_watchers", "queue": "default", "origin": "x",
            "arguments": {"to": values["mail in a log"], "words": values["answer"]}, "owner": None,
            "replay": 0,
            "error": f"Traceback (most recent call last):\nValueError: {values['answer in an error']}",
            "attempts": [], "created_at": 1_700_000_000_000,
        }  # fmt: skip
        asyncio.run(_write(appliance, letter))

    def _in_logs(self, appliance: Dotted) -> None:
        """As code would that does not look what it writes."""
        values, now = self.values, time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        whole = [value for what, value in values.items()]
        basic = [
            base64.b64encode(f"user:{value}".encode()).decode()
            for what, value in values.items()
            if what in self.known
        ]
        lines: list[dict[str, Any]] = [
            {"message": f"failed with {value} there"} for value in whole if not _is_answer(values, value)
        ]
        lines += [{"error": f"400 at /x?a={quote(value, safe='')} again", "message": "x"} for value in whole]
        lines += [{"error": f"authorization: Basic {word}", "message": "x"} for word in basic]
        lines += [{"message": "header", "why": word} for word in basic]
        lines += [{"message": f"of {value}", "reason": value, "request_id": value} for value in whole]
        lines += [
            {"message": "an unknown field", "answers": value, "username": value, "to": value}
            for value in whole
        ]
        lines += [
            {"message": f"invalid: {value!r} is none", "error": f"ValidationError({value!r})"}
            for value in whole
        ]
        lines += [{"message": "nested", "error": json.dumps({"data": {"words": value}})} for value in whole]
        number = values["answer that is a number"]
        lines.append(
            {"message": "numbers", "telephone": number, "phone": int(number), "calls": [int(number)]}
        )
        lines += [
            {
                "message": "failed",
                "exception": f"{TRACEBACK}: {value}\n{value}: {value}",
            }
            for value in whole
        ]
        lines.append({"message": f"mongodb://user:{values['password in an address']}@db.test/x"})
        lines.append({"message": f"Authorization: Bearer {values['bearer']}"})
        moment = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime())
        with (appliance.paths.logs / "api-1.log").open("a") as log:
            for value in whole:
                log.write(f"{moment} failed with {'' if _is_answer(values, value) else value} there\n")
                log.write(f"{moment} at /x?a={quote(value, safe='')} again\n")
                log.write(f"{TRACEBACK}: {value}\n{value} goes on\nand: {value}\n")
                log.write(f"{moment} [error] appliance.errors.OddError: {value}\n")
            log.write(f"{moment} mongodb://user:{values['password in an address']}@db.test/x\n")
            log.write(f"{moment} Authorization: Bearer {values['bearer']}\n")
            for word in basic:
                log.write(f"{moment} authorization: Basic {word}\n")
            for line in lines:
                log.write(
                    json.dumps({"time": now, "level": "error", "program": "api-1", "logger": "x", **line})
                    + "\n"
                )
        with (appliance.paths.logs / "nginx.log").open("a") as log:
            log.write(
                f"{moment} [error] 1#1: *5 connect() failed, client: {values['IPv4']}, server: , request:"
                f' "GET /f/{values["slug of a form"]}?pin={values["query of a request"]} HTTP/1.1", referrer:'
                f' "https://x.test/?q={values["answer"]}"\n'
            )
            log.write(f"{moment} [error] 1#1: *6 client: {values['IPv6']} sent {values['mail in a log']}\n")
            log.write(f"{moment} [error] 1#1: *7 it wasn't '{values['answer in an error']}'\n")


async def _write(appliance: Dotted, letter: dict[str, Any]) -> None:
    async with mongo.connect(appliance.settings) as client:
        await dead_letters.write(mongo.database(client), letter)


def _is_answer(values: dict[str, str], value: str) -> bool:
    """What looks like any words: only that it stands in no text of ours keeps it out."""
    by = {other: what for what, other in values.items()}
    what = by[value]
    return what.startswith(("answer", "query", "slug", "name", "its domain", "password in an address"))


@pytest.fixture(scope="module")
def planted(dotted: Dotted) -> Planted:
    return Planted(dotted)


def test_nothing_of_what_was_planted_is_in_it(dotted: Dotted, planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    made = run(dotted, "--output", str(path), "--json")
    assert made.stderr == ""
    assert made.returncode == 0, made.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    texts = opened(path)
    assert leaks(planted.values, texts) == set()
    assert leaks(planted.values, {"told": made.stdout}) == set()
    assert len(planted.known) > 15
    told, manifest = json.loads(made.stdout), json.loads(texts[support.MANIFEST])
    assert told == {"path": str(path), "bytes": path.stat().st_size, **manifest}
    assert manifest["failed"] == []
    rows = {row["name"]: row for row in manifest["files"]}
    assert rows.keys() == texts.keys() - {support.MANIFEST}
    for name, row in rows.items():
        raw = texts[name].encode()
        assert (row["bytes"], row["sha256"]) == (len(raw), hashlib.sha256(raw).hexdigest()), name
    masked = rows["logs/api-1.log"]["masked"]
    assert all(masked[kind] > 0 for kind in ("secret", "mail", "address", "token", "query")), masked


def test_it_holds_what_helps(dotted: Dotted, planted: Planted, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    assert run(dotted, "--output", str(path), "--quiet").returncode == 0
    texts = opened(path)
    assert {
        "status.json", "doctor.json", "config.json", "versions.json", "budget.json", "machine.json",
        "folders.json", "queues.json", "dead_letters.json", "database.json", "supervisord.conf",
        "nginx.conf", "about.json", "logs/access.log", "logs/api-1.log", "logs/redis.log",
        "logs/supervisord.log", "manifest.json",
    } <= texts.keys()  # fmt: skip
    assert json.loads(texts["status.json"])["up"] is True
    config = {row["name"]: row for row in json.loads(texts["config.json"])["settings"]}
    assert config["SECRET_KEY"]["asked"] == "(set)"
    assert config["RATE_LIMIT"]["asked"] == "off"
    requests = [json.loads(line) for line in texts["logs/access.log"].splitlines()]
    mine = [each for each in requests if each["uri"] == "/f/*"]
    assert mine and mine[-1]["status"] == 404 and re.fullmatch(r"[0-9a-f-]{32,36}", mine[-1]["request_id"])
    assert "/api/v1/users/*" in {each["uri"] for each in requests}
    assert not [each for each in requests if "?" in each["uri"] or "user_agent" in each]
    (letter,) = [row for row in json.loads(texts["dead_letters.json"]) if row["task"] == "notify_watchers"]
    assert letter["error"] == "ValueError" and "arguments" not in letter
    database = json.loads(texts["database.json"])
    assert database["collections"]["responses"]["documents"] >= 1
    assert "form_id_1_seq_1" in database["collections"]["responses"]["indexes"]
    assert any(line.startswith("litestar v") for line in json.loads(texts["versions.json"])["packages"])
    assert '  File \\"/a/b.py\\", line 3, in f\\nappliance.errors.Invalid' in texts["logs/api-1.log"]


def test_where_prometheus_runs_its_alerts_are_in_it(appliance: Running, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    environ = {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}
    call = ["support", "--output", str(path), "--since", "1h"]
    chosen = appliance.settings
    until(lambda: _alerts_of(chosen), 60, "Prometheus has looked at its rules")
    made = appliance_command(*call, data=appliance.paths.data, **environ)
    assert made.returncode == 0, made.stdout
    texts = opened(path)
    alerts = json.loads(texts["alerts.json"])
    assert {"alertname", "severity"} <= alerts["prometheus"][0]["labels"].keys(), "the watchdog at least"
    assert {"logs/prometheus.log", "logs/alertmanager.log"} <= texts.keys()


def _alerts_of(chosen: settings.Settings) -> object:
    with contextlib.suppress(OSError):
        return support_parts._ask(chosen, "prometheus", "/api/v1/alerts")["data"]["alerts"]
    return None


@pytest.fixture
def here(dotted: Dotted, monkeypatch: pytest.MonkeyPatch) -> support_parts.Here:
    """In this process, so that a test can take a redaction away."""
    for name, value in dotted.environ.items():
        monkeypatch.setenv(name, value)
    return support_parts.Here(settings.load(), utc_now().replace(year=2000))


def made_here(here: support_parts.Here) -> dict[str, str]:
    made = support.make(here.settings, here.since, utc_now(), lambda done, total: None)
    assert made.manifest["failed"] == []
    with tarfile.open(fileobj=io.BytesIO(made.content)) as tar:
        return _texts(tar)


GONE: dict[str, tuple[object, str, object, str]] = {
    "mail": (support_mask, "_MAIL", NEVER, "its domain"),
    "addresses": (support_mask, "_ADDRESS", NEVER, "IPv6"),
    "what looks like a key": (support_mask, "_IN_QUESTION", NEVER, "bearer"),
    "what is quoted": (support_logs, "_QUOTED", NEVER, "slug of a form"),
    "where nobody can tell": (support_logs, "_UNPAIRED", NEVER, "answer in an error"),
    "what a text is known by": (support_texts, "told", str, "answer in an error"),
    "an id of a request": (support_logs, "_REQUEST_ID", re.compile(".*"), "answer in an error"),
    "which fields": (support_logs, "_fields", dict, "answer in a field"),
    "which parts of a path": (support_logs, "path", str, "name in a path"),
    "what a traceback says": (support_logs, "traceback", str, "answer in an error"),
    "what an error of a dead letter says": (support_logs, "kind", str, "answer in an error"),
}


@pytest.mark.parametrize("what", GONE)
def test_without_any_one_of_the_redactions_something_is_in_it(
    here: support_parts.Here, planted: Planted, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    assert leaks(planted.values, made_here(here)) == set()
    module, name, instead, leaked = GONE[what]
    monkeypatch.setattr(module, name, instead)
    assert leaked in leaks(planted.values, made_here(here))


def test_a_secret_that_the_mask_forgets_is_seen_before_it_is_written(
    here: support_parts.Here, planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support_mask.Mask, "__call__", lambda mask, text: text)
    with pytest.raises(CannotStart, match="a secret would have been in"):
        made_here(here)
    monkeypatch.setattr(support, "_check", lambda files, mask: None)
    assert leaks(planted.values, made_here(here)) >= {"setting SECRET_KEY", "redis_password 0"}


@pytest.mark.parametrize(
    "module,place,missed",
    [
        (support_secrets, "_given", "setting ALERT_SLACK_URL"),
        (support_secrets, "_parts", "password of SMTP_URL"),
        (support_secrets, "_lines", "key of the certificate 0"),
        (known_secrets, "of_files", "jwt_keys.json 1"),
    ],
)
def test_each_place_of_secrets_counts(
    here: support_parts.Here,
    planted: Planted,
    monkeypatch: pytest.MonkeyPatch,
    module: object,
    place: str,
    missed: str,
) -> None:
    assert {planted.values[what] for what in planted.known} <= support_secrets.find(here.paths)
    monkeypatch.setattr(module, place, lambda *given: ())
    assert planted.values[missed] not in support_secrets.find(here.paths)


# -- whatever is broken


def test_it_is_made_where_nothing_was_ever_started(tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    made = appliance_command("support", "--output", str(path), data=tmp_path / "data")
    assert made.returncode == 1, made.stderr
    assert "without database: " in made.stdout
    texts = opened(path)
    assert json.loads(texts["status.json"])["up"] is False
    assert {row["part"] for row in json.loads(texts["manifest.json"])["failed"]} >= {"database", "queues"}
    assert not (tmp_path / "data").exists()


def test_settings_that_cannot_be_used_are_told_and_masked(tmp_path: Path) -> None:
    (tmp_path / "env").write_text(
        "APPLIANCE_TOKEN_HOURS=never\nSECRET_KEY=sesame\nSMTP_URL=sesame-no-address\nwhat\n"
    )
    path = tmp_path / "bundle.tar.gz"
    environ = {"APPLIANCE_DOTENV": str(tmp_path / "env")}
    made = appliance_command("support", "--output", str(path), data=tmp_path / "data", **environ)
    assert made.returncode == 1, made.stderr
    texts = opened(path)
    told = json.loads(texts["config.json"])
    assert "not a line NAME=value" in told["fault"]
    assert told["names_in_dotenv"] == ["APPLIANCE_TOKEN_HOURS", "SECRET_KEY", "SMTP_URL"]
    assert "sesame" not in "".join(texts.values())


def test_on_a_full_disk_it_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    with disks.mounted("40k") as folder:
        (folder / "filler").write_bytes(b"x" * 36_000)
        made = appliance_command(
            "support", "--output", str(folder / "bundle"), "--json", data=tmp_path / "data"
        )
        assert (made.returncode, made.stdout) == (2, "")
        told = json.loads(made.stderr)
        assert "No space left" in told["error"] and "--output" in told["next"]
        assert [each.name for each in folder.iterdir()] == ["filler"]


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mine"
    path.write_text("mine")
    made = appliance_command("support", "--output", str(path), data=tmp_path / "data")
    assert (made.returncode, "File exists" in made.stderr, path.read_text()) == (2, True, "mine")


def test_to_stdout(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOME), "APPLIANCE_DATA": str(tmp_path / "data")}
    call = [sys.executable, "-P", "-m", "appliance", "support", "--output", "-"]
    made = subprocess.run(call, env=environ, capture_output=True, check=False)
    with tarfile.open(fileobj=io.BytesIO(made.stdout)) as tar:
        assert "manifest.json" in _texts(tar)
    assert b"look through it" in made.stderr


def _here(data: Path) -> settings.Settings:
    return settings.load({"APPLIANCE_DATA": str(data)}, dotenv=Path("/nonexistent"))


def _hang(here: support_parts.Here) -> dict[str, str]:
    time.sleep(30)
    return {}


def test_a_part_that_hangs_or_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    parts: dict[str, support_parts.Part] = {
        "hangs": _hang,
        "fails": lambda here: {"x": str(1 / 0)},
        "quotes": lambda here: {"x": str(int("sesame answer"))},
        "is there": lambda here: {"a.txt": "here\n"},
    }
    started = time.monotonic()
    told: list[tuple[int, int]] = []
    made = support.make(
        _here(tmp_path), utc_now(), utc_now(), lambda *news: told.append(news), parts=parts, seconds=0.2
    )
    assert time.monotonic() - started < 5
    assert told[-1] == (4, 4)
    assert made.manifest["failed"] == [
        {"part": "hangs", "fault": "it did not end within 0 s"},
        {"part": "fails", "fault": "ZeroDivisionError: …"},
        {"part": "quotes", "fault": "ValueError: …"},
    ]
    assert [row["name"] for row in made.manifest["files"]] == ["a.txt"]


def test_it_has_a_bound(tmp_path: Path) -> None:
    parts: dict[str, support_parts.Part] = {
        str(number): lambda here, number=number: {f"{number}.txt": f"{number} {'x ' * 500}\n" * 1_200}  # type: ignore[misc]
        for number in range(20)
    }
    made = support.make(_here(tmp_path), utc_now(), utc_now(), lambda done, total: None, parts=parts)
    sizes = [row["bytes"] for row in made.manifest["files"]]
    assert max(sizes) == support.FILE_BYTES
    assert sum(sizes) == support.ALL_BYTES
    assert all(row["cut"] for row in made.manifest["files"])


def test_of_each_log_the_last_lines_are_read_and_those_before_a_rotation(tmp_path: Path) -> None:
    log = tmp_path / "worker-high.log"
    lines = [json.dumps({"time": f"2026-01-31T12:00:{number:02d}Z", "line": number}) for number in range(60)]
    Path(f"{log}.2").write_text("".join(f"{line}\n" for line in lines[:20]))
    Path(f"{log}.1").write_text("".join(f"{line}\n" for line in lines[20:40]))
    log.write_text("".join(f"{line}\n" for line in lines[40:]))

    def numbers(most: int, since: str = "2026-01-31T12:00:00Z") -> list[int]:
        tails = support_logs.last(tmp_path, parse_rfc3339(since).timestamp(), most)
        return [int(json.loads(line)["line"]) for line in tails["worker-high"].text().splitlines()]

    assert numbers(1_000_000) == list(range(60))
    assert numbers(1_000_000, "2026-01-31T12:00:30Z") == list(range(30, 60))
    few = numbers(300)
    assert 3 <= len(few) < 8 and few == list(range(60 - len(few), 60))
    assert len(support_logs._end(log, 2_500)) <= 2_500
    assert support_logs._end(log, 2_500).splitlines()[0].decode() in lines


# -- the mask


@pytest.mark.parametrize(
    "secret", ["secret", "(secret)", "mail", "x'\"\\/?&=%+ ü€", "ip-1", "a b c d", "\\n\\t\\u0040"]
)
def test_a_secret_is_masked_however_it_is_written(secret: str) -> None:
    mask = support_mask.Mask([secret])
    encoded = base64.b64encode(f"user:{secret}-and more".encode()).decode()
    texts = [
        secret,
        json.dumps({"a": secret}),
        json.dumps(json.dumps(secret)),
        quote(secret, safe=""),
        encoded,
    ]
    for text in texts:
        masked = mask(f"before {text} after")
        assert not mask.finds(masked), masked
        if text != encoded or len(secret) >= 8:
            assert masked.startswith("before ") and support_mask.SECRET in masked


def test_an_address_has_one_name_and_loopback_its_own() -> None:
    mask = support_mask.Mask([])
    told = mask(
        "198.51.100.7 ::1 127.0.0.1 2001:DB8::1 2001:db8:0::1 198.51.100.7:80 12:34:56 v1.2.3.4 0.0.0.0"
    )
    assert told == "ip-1 ::1 127.0.0.1 ip-2 ip-2 ip-1:80 12:34:56 v1.2.3.4 0.0.0.0"
    assert mask.counts["address"] == 4
