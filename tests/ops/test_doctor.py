from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import socket
from pathlib import Path

import pytest

from appliance import clock, secret_ages, settings, trees
from appliance.addresses import Paths
from appliance.backups import book, keys
from appliance.backups.book import Archive
from appliance.ops import doctor
from appliance.ops.checks import CHECKS
from appliance.ops.findings import Finding, Situation
from appliance.runtime import folders, serving
from appliance.services import certificates, clock_leaps
from appliance.settings import HOME
from tests import models
from tests.tls.authority import Authority


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as `up` leaves it."""
    chosen = settings.load({"APPLIANCE_DATA": str(tmp_path / "data")}, dotenv=tmp_path / "none")
    paths = Paths(chosen.data)
    folders.create(paths)
    folders.create_secrets(paths, chosen)
    serving.settle(chosen)
    return chosen.data


def examine(
    data: Path, dotenv: Path | None = None, later: dt.timedelta = dt.timedelta(), **environ: str
) -> list[Finding]:
    every = {"APPLIANCE_DATA": str(data), **environ}
    dotenv = dotenv or data / "none"
    now = clock.utc_now() + later
    chosen = settings.load(every, dotenv=dotenv)
    return doctor.examine(Situation(chosen, chosen, every, dotenv, lambda: now))


def found(findings: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(each.severity, each.meaning) for each in findings if each.check == check]


def test_a_stopped_appliance_in_order_has_one_error(data: Path) -> None:
    bad = [(each.check, each.severity) for each in examine(data) if each.severity != "ok"]
    assert bad == [("supervisor", "error")]


def test_what_the_first_start_will_make_is_not_missing(tmp_path: Path) -> None:
    """As after scripts/install: an empty folder."""
    (tmp_path / "data").mkdir(mode=0o700)
    findings = examine(tmp_path / "data")
    bad = [(each.check, each.severity) for each in findings if each.severity != "ok"]
    assert bad == [("supervisor", "error")]


def test_what_is_lost_is_one_finding(data: Path) -> None:
    for name in ("logs", "files"):
        (data / name).rmdir()
    assert found(examine(data), "data-folder") == [("warning", f"files, logs of {data} are missing")]


def test_every_finding_that_is_not_well_names_the_next_step(data: Path) -> None:
    (data / "logs").rmdir()
    data.chmod(0o755)
    hinted = set()
    for each in examine(data, RATE_LIMIT="off", APPLIANCE_DATTA="x"):
        assert each.next or each.severity == "ok", each
        hinted |= {each.check} if each.next and each.severity == "ok" else set()
    assert hinted <= {"database-kind"}, "what is so by choice"


def test_secrets_that_nobody_has_replaced_are_told(data: Path) -> None:
    assert found(examine(data, later=dt.timedelta(days=89)), "secret-age") == [
        ("ok", "every secret was replaced within 90 days")
    ]
    told = examine(data, later=dt.timedelta(days=91))
    assert [each.meaning.split(" is 91 days old")[0] for each in told if each.check == "secret-age"] == [
        "database",
        "redis",
    ], "and not the admin's, which is a person's"
    assert "./scripts/appliance secrets rotate redis" in [each.next for each in told]
    key = "x" * 40
    secret_ages.note(Paths(data), {"SECRET_KEY": key})
    told = examine(data, later=dt.timedelta(days=91), SECRET_KEY=key)
    assert "./scripts/appliance secrets rotate jwt" in [each.next for each in told]


def test_every_check_is_explained() -> None:
    explained = set(re.findall(r"^## `([a-z-]+)`$", (HOME / "docs" / "doctor.md").read_text(), re.MULTILINE))
    assert explained == {doctor.UNREADABLE, *(check.name for check in CHECKS)}


def test_a_model_that_cannot_be_used_is_told(data: Path, tmp_path: Path) -> None:
    models.until_built()
    assert found(examine(data), "ai")[0][0] == "ok"
    (tmp_path / "model.gguf").write_bytes(b"PK" * 1000)
    ((severity, meaning),) = found(examine(data, AI_MODEL=str(tmp_path / "model.gguf")), "ai")
    assert severity == "warning"
    assert "model.gguf is no GGUF file" in meaning
    assert "AI_MODEL" in meaning


@pytest.mark.parametrize(
    "given, severity, words",
    [
        ({"ALERT_EMAIL": "a@b.test"}, "warning", "no SMTP_URL"),
        ({"ALERT_EMAIL": "a@b.test", "SMTP_URL": "smtps://m.test:2465"}, "error", "port 465 alone"),
        ({"ALERT_EMAIL": "a@b.test", "SMTP_URL": "smtps://m.test"}, "ok", "alerts reach somebody"),
        ({"ALERT_SMS_URL": "https://sms.test"}, "ok", "alerts reach somebody"),
        ({"SMTP_URL": "smtps://m.test", "ALERT_WATCHDOG_URL": "https://w.test"}, "ok", "nobody is told"),
        ({}, "ok", "nobody is told"),
        ({"APPLIANCE_MONITORING": "off"}, "ok", "APPLIANCE_MONITORING=off"),
    ],
)
def test_whether_an_alert_would_reach_anybody(
    data: Path, given: dict[str, str], severity: str, words: str
) -> None:
    ((told, meaning),) = found(examine(data, None, dt.timedelta(), **given), "alerts")
    assert told == severity and words in meaning


def test_the_trial_database_is_no_fault_and_has_a_hint(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (told,) = [each for each in examine(data, APPLIANCE_MONGO="secantusdb") if each.check == "database-kind"]
    assert (told.severity, doctor.status([told])) == ("ok", 0)
    doctor._print([told])
    line, hint, *_ = capsys.readouterr().out.splitlines()
    assert line.startswith("ok       database-kind   the embedded trial database SecantusDB holds the data")
    assert hint.strip().startswith("hint: for data that matters set MONGODB_URI")


def test_a_misspelt_setting_is_found_and_its_name_guessed(data: Path, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("# APPLIANCE_NOTHING=1\nRATE_LIMITS=off\nAPPLIANCE_CPUS=1\n")
    dotenv.chmod(0o600)
    password = tmp_path / "password"
    password.write_text("sesame-admin\n")
    findings = examine(
        data, dotenv, APPLIANCE_HTTP_PROT="80", APPLIANCE_ADMIN_PASSWORD_FILE=str(password), PATH="/bin"
    )
    names = [(each.meaning, each.next) for each in findings if each.check == "setting-names"]
    assert names == [
        (
            "APPLIANCE_HTTP_PROT in the environment is no setting and has no effect",
            "rename it to APPLIANCE_HTTP_PORT",
        ),
        (f"RATE_LIMITS in {dotenv} is no setting and has no effect", "rename it to RATE_LIMIT"),
    ]


def test_settings_that_cannot_be_read_are_the_only_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_HTTP_PORT", "99999")
    (only,) = doctor.examine()
    assert (only.check, only.severity) == ("settings", "error")
    assert "APPLIANCE_HTTP_PORT='99999' from environment" in only.meaning


def test_an_open_secret_is_an_error_with_its_mend(data: Path) -> None:
    secret = Paths(data).mongo_password
    secret.chmod(0o644)
    (bad,) = [each for each in examine(data) if each.check == "secrets"]
    assert (bad.severity, bad.next) == ("error", f"chmod 600 '{secret}'")
    Paths(data).certificate_key.chmod(0o640)
    assert len(found(examine(data), "secrets")) == 2


def test_maintenance_that_was_forgotten_is_a_warning(data: Path) -> None:
    assert found(examine(data), "maintenance") == [("ok", "maintenance is off")]
    Paths(data).maintenance.touch()
    ((severity, meaning),) = found(examine(data), "maintenance")
    assert (severity, meaning) == ("warning", "maintenance is on: everybody is answered 503 and a page")


def test_one_is_told_as_one(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    findings = examine(data, RATE_LIMIT="off")
    doctor._print(findings)
    assert "\n1 error, 1 warning; docs/doctor.md" in capsys.readouterr().out
    doctor._print([each for each in findings if each.severity == "ok"])
    assert "\n0 errors, 0 warnings; " in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_another_owner_is_an_error(data: Path) -> None:
    os.chown(data / "files", 65534, -1)
    ((severity, meaning),) = found(examine(data), "data-folder")
    assert severity == "error"
    assert meaning == f"{data / 'files'} belongs to nobody, the data folder to root"


@pytest.mark.parametrize("days,severity", [(0, "ok"), (800, "ok"), (812, "warning"), (826, "error")])
def test_the_certificate_is_told_before_it_expires(data: Path, days: int, severity: str) -> None:
    ((told, _),) = found(examine(data, later=dt.timedelta(days=days)), "certificate")
    assert told == severity


def own_certificate(data: Path, folder: Path, *names: str) -> dict[str, str]:
    """Served from the operator's files; the settings for it."""
    chain, key = Authority().write(folder, *names)
    given = {"APPLIANCE_TLS_CERTIFICATE": str(chain), "APPLIANCE_TLS_KEY": str(key)}
    serving.settle(settings.load({"APPLIANCE_DATA": str(data), **given}, dotenv=data / "none"))
    return given


def test_who_trusts_the_certificate_is_told_as_no_fault(data: Path, tmp_path: Path) -> None:
    ((severity, meaning),) = found(examine(data), "certificate")
    assert (severity, "self-signed: browsers warn" in meaning) == ("ok", True)
    given = own_certificate(data, tmp_path, "forms.test")
    ((severity, meaning),) = found(examine(data, None, dt.timedelta(), **given), "certificate")
    assert severity == "ok"
    assert "not by this machine's roots: unable to get local issuer certificate (forms.test)" in meaning
    (tmp_path / "key.pem").chmod(0o644)
    told = found(examine(data, None, dt.timedelta(), **given), "certificate")
    assert ("warning", f"{tmp_path / 'key.pem'} can be read by everybody on this machine") in told


def test_a_certificate_without_names_is_an_error(data: Path, tmp_path: Path) -> None:
    given = own_certificate(data, tmp_path)
    ((severity, meaning),) = found(examine(data, None, dt.timedelta(), **given), "certificate")
    assert (severity, "names nobody" in meaning) == ("error", True)


@pytest.mark.parametrize("days, severity", [(70, "ok"), (77, "warning"), (91, "error")])
def test_the_operators_own_is_told_before_it_expires(
    data: Path, tmp_path: Path, days: int, severity: str
) -> None:
    given = own_certificate(data, tmp_path, "forms.test")
    ((told, _),) = found(examine(data, None, dt.timedelta(days=days), **given), "certificate")
    assert told == severity


def test_what_the_acme_service_refuses_is_told_with_the_next_attempt(data: Path, tmp_path: Path) -> None:
    given = {"ACME_DOMAINS": "a.test,b.test", "ACME_AGREE_TOS": "on"}
    chosen = settings.load({"APPLIANCE_DATA": str(data), **given}, dotenv=data / "none")
    chain, key = Authority().write(tmp_path, "a.test")
    Paths(data).acme_certificate.write_bytes(chain.read_bytes() + key.read_bytes())
    Paths(data).acme_certificate.chmod(0o600)
    serving.settle(chosen)
    told = found(examine(data, None, dt.timedelta(), **given), "certificate")
    assert told == [("warning", "the certificate is not for b.test of ACME_DOMAINS")]

    async def refuses() -> str:
        return "not proven: b.test: no such name; next: let port 80 of each name lead here"

    now = dt.datetime(2026, 3, 4, 5, 6, tzinfo=dt.UTC)
    asyncio.run(certificates.renew_if_due(chosen, lambda: now, refuses))
    (finding, _) = [
        each for each in examine(data, None, dt.timedelta(), **given) if each.check == "certificate"
    ]
    assert finding.severity == "error"
    assert (
        "directory: not proven: b.test: no such name (failure 1; next attempt 2026-03-04 05:"
        in finding.meaning
    )
    assert finding.next.startswith("let port 80 of each name lead here; to have it tried at once: rm '")
    assert str(Paths(data).acme_state) in finding.next


def test_what_lies_beside_the_certificate_is_secret(data: Path) -> None:
    Paths(data).served.chmod(0o644)
    ((severity, meaning),) = found(examine(data), "secrets")
    assert (severity, "served.pem has mode 0644" in meaning) == ("error", True)


def test_a_clock_that_went_back_is_noticed(data: Path) -> None:
    assert found(examine(data, later=dt.timedelta(seconds=-60)), "clock")[0][0] == "ok"
    assert found(examine(data, later=dt.timedelta(days=-2000)), "clock")[0][0] == "error"


def test_a_clock_that_has_leapt_is_told_until_it_has_run_for_a_day(data: Path) -> None:
    now = clock.utc_now()
    clock_leaps.Watch().look(Paths(data), now)
    assert found(examine(data), "clock")[0][0] == "ok"
    ((severity, meaning),) = found(examine(data, later=dt.timedelta(days=400)), "clock")
    assert severity == "warning" and "nothing is purged by its days" in meaning and "24 h more" in meaning


def test_backups_of_a_clock_that_was_ahead_are_told(data: Path) -> None:
    own, ahead, now = data / "backups", dt.datetime(2230, 1, 1, tzinfo=dt.UTC), clock.utc_now()
    keys.ensure(Paths(data).backup_key)
    path = own / f"appliance-2230-01-01T00-00-00Z{book.SUFFIX}"
    path.touch()
    with book.changing(own) as noted:
        noted.backup.since = noted.drill.since = now
        noted.backup.succeed(ahead, path.name, 1, 1, 1.0)
        noted.archives[path.name] = Archive(ahead, 0, 1, now)
    told = [meaning for severity, meaning in found(examine(data), "backups") if severity == "warning"]
    assert len(told) == 2, told
    assert "noted for the backups is 2230-01-01" in told[0] and path.name in told[1]


def test_listeners_are_told_inside_from_outside() -> None:
    """On real sockets of this process, IPv6 where the host has it."""
    expected = []
    sockets = []
    for address, outside in [("127.0.0.1", False), ("0.0.0.0", True), ("::1", False), ("::", True)]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            made = socket.create_server((address, 0), family=family)
        except OSError:
            assert family == socket.AF_INET6
            continue
        sockets.append(made)
        expected.append((made.getsockname()[1], outside))
    try:
        seen = [(each.port, each.is_outside) for each in trees.listeners([os.getpid()])]
        assert set(expected) <= set(seen)
    finally:
        for made in sockets:
            made.close()


def test_backups_that_are_not_made_or_fail_are_told(data: Path) -> None:
    own, now, day = data / "backups", clock.utc_now(), dt.timedelta(days=1)
    assert found(examine(data), "backups") == [("ok", "what was due was made, and none is known to be bad")]
    with book.changing(own) as noted:
        noted.backup.since = noted.drill.since = now
    assert [each for each, _ in found(examine(data), "backups")] == ["ok"]
    assert found(examine(data, later=3 * day), "backups") == [
        ("warning", "no backup was ever made; two of its times have passed")
    ]
    off = examine(data, BACKUP_CRON="", later=30 * day)
    assert found(off, "backups") == [("warning", "no backup was ever made, and BACKUP_CRON is empty")]
    (own / "one").touch()
    keys.ensure(Paths(data).backup_key)
    with book.changing(own) as noted:
        noted.backup.succeed(now, "one", 1, 1, 1.0)
        noted.archives["one"] = Archive(now, 1, 1, now)
    ((severity, meaning),) = found(examine(data, later=day), "backups")
    assert severity == "ok" and "on the disk of the data folder" in meaning
    never = "no backup was ever tried out; two of its times have passed"
    assert ("warning", never) in found(examine(data, later=16 * day), "backups")
    with book.changing(own) as noted:
        noted.backup.fail(now, "no room")
        noted.drill.fail(now, "cut short", "one")
        noted.drill.fail(now, "cut short", "one")
    told = found(examine(data), "backups")
    assert ("error", f"the last backup failed at {clock.rfc3339(now)}: no room") in told
    assert any("2 times in a row: cut short" in meaning for _, meaning in told)
    (own / "one").unlink()
    assert any("is not there any more" in meaning for _, meaning in found(examine(data), "backups"))


def test_a_folder_for_backups_that_is_not_there_is_an_error(data: Path, tmp_path: Path) -> None:
    findings = examine(data, BACKUP_FOLDER=str(tmp_path / "away"))
    (bad,) = [each for each in findings if each.check == "backups"]
    assert (bad.severity, "mount its disk" in bad.next) == ("error", True)
