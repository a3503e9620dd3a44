"""Faults planted into the data folder of an appliance that does not run, and what doctor makes of them.

Each is real: a mode, a full disk, a file that is cut off. doctor names it, changes nothing, and says no more.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import settings
from appliance.ops import checks, doctor
from appliance.ops.checks import inside
from appliance.ops.findings import CHECKS, Fault, Finding, Situation
from tests.ops import stopped_faults as faults
from tests.ops import stopped_place
from tests.ops.command import appliance_command
from tests.ops.planting import Row, judge, nothing, planting
from tests.ops.stopped_place import Place, Planting, examine, mark
from tests.runtime.servers import temporary_data


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return stopped_place.make(tmp_path)


def row(
    plant: Planting, check: str, severity: str, *words: str, also: str = "", hides: str = ""
) -> Row[Place]:
    return Row(
        plant.__name__,
        planting(plant),
        check,
        severity,  # type: ignore[arg-type] # one of the three
        words,
        frozenset(also.split()),
        frozenset(hides.split()),
    )


def of_setting(name: str, value: str, check: str, severity: str, *words: str) -> Row[Place]:
    planted = row(faults.setting(**{name: value}), check, severity, *words)
    return replace(planted, name=f"{name}={value}")


ROWS = [
    row(
        faults.mode_of_the_folder, "data-folder", "error", "{place.data} has mode 0755",
        "chmod 700 '{place.data}'",
    ),
    row(faults.mode_of_a_folder, "data-folder", "error", "{place.data}/files has mode 0750", "chmod 700"),
    row(faults.owner_of_a_folder, "data-folder", "error", "{place.data}/files belongs to nobody", "chown"),
    row(faults.a_missing_folder, "data-folder", "warning", "files of {place.data} is missing", "bring back"),
    row(faults.owner_of_a_file, "files-inside", "error", "{place.data}/lake/state.json: not of", "chown -R"),
    row(faults.a_file_nobody_reads, "files-inside", "error", "{place.data}/files/upload", "chmod u+rw"),
    row(faults.a_link_out, "files-inside", "warning", "{place.data}/files/elsewhere", "out of", "rm '"),
    row(faults.source_code, "place", "error", "pyproject.toml", "source code", "set APPLIANCE_DATA"),
    row(
        faults.a_long_path, "place", "error", "the path has", "bytes", "shorter path",
        also="supervisor", hides="supervisor",
    ),
    row(
        faults.a_full_disk, "disk", "error", "are free for {place.data}: writes will fail",
        "df -h", also="file-system supervisor", hides="supervisor",
    ),
    row(
        faults.a_nearly_full_disk, "disk", "warning", "are free for {place.data}",
        "df -h", also="file-system supervisor", hides="supervisor",
    ),
    row(
        faults.no_more_files, "disk", "error", "more files", "{place.data}",
        "df -i", also="file-system supervisor", hides="supervisor",
    ),
    row(
        faults.a_disk_in_memory, "file-system", "warning", "tmpfs", "the next boot takes all", "move",
        also="supervisor", hides="supervisor",
    ),
    row(faults.an_expired_certificate, "certificate", "error", "the certificate expired on", "restart"),
    row(faults.a_certificate_that_ends, "certificate", "warning", "the certificate expires on", "restart"),
    row(faults.a_damaged_certificate, "certificate", "error", "{place.paths.served} is damaged", "rm '"),
    row(
        faults.a_key_of_another, "certificate", "error", "{place.paths.served} do not belong together",
        "rm '",
    ),
    row(
        faults.own_files_of_two, "certificate", "error", "{place.scratch}/chain.pem",
        "do not belong together",
        "pubkey",
    ),
    row(faults.an_open_secret, "secrets", "error", "{place.paths.redis_password} has mode 0644", "chmod 600"),
    row(faults.an_empty_secret, "secrets", "error", "{place.paths.redis_password} is empty", "rm '"),
    row(faults.damaged_keys, "secrets", "error", "{place.paths.jwt_keys} holds no keys", "mv '"),
    row(faults.an_open_dotenv, "secrets", "warning", "{place.dotenv} can be read by everybody", "chmod 600"),
    row(faults.an_old_secret, "secret-age", "warning", "redis is 100 days old", "secrets rotate redis"),
    row(
        faults.a_misspelt_setting, "setting-names", "warning", "APPLIANCE_HTTP_PROT",
        "rename it to APPLIANCE_HTTP_PORT",
    ),
    row(
        faults.a_setting_that_is_none, "settings", "error", "APPLIANCE_TOKEN_HOURS='never'",
        "{place.dotenv}:2",
        "correct it", hides="supervisor",
    ),
    row(
        faults.no_time_zones, "settings", "error", "no tables of time zones",
        "tzdata", hides="supervisor",
    ),
    of_setting("RATE_LIMIT", "off", "rate-limit", "warning", "RATE_LIMIT=off", "unset RATE_LIMIT"),
    of_setting(
        "APPLIANCE_TRUSTED_PROXIES", "10.0.0.1/32 0.0.0.0/0", "trusted-proxies", "error",
        "has 0.0.0.0/0:", "reload"
    ),
    of_setting("EGRESS_ALLOW", "::/0", "egress-allow", "warning", "EGRESS_ALLOW has ::/0", "reload"),
    of_setting("ALERT_EMAIL", "a@b.test", "alerts", "warning", "no SMTP_URL", "set SMTP_URL"),
    of_setting("APPLIANCE_BIND", "203.0.113.9", "ports", "error", "no address 203.0.113.9", "hostname -I"),
    of_setting(
        "BACKUP_FOLDER", "{place.scratch}/away", "backups", "error", "{place.scratch}/away",
        "mount its disk",
    ),
    row(faults.no_mongod, "database-kind", "error", "there is no mongod", "up"),
    row(
        faults.data_of_another_server, "database-kind", "error", "{place.paths.mongo} was made by some other",
        "set APPLIANCE_MONGO",
    ),
    row(faults.half_swapped, "half-restored", "error", "{place.data} was cut short", "up"),
    row(faults.a_draft_within, "half-restored", "warning", "{place.data}/.draft", "rm -r"),
    row(faults.a_draft_beside, "half-restored", "warning", ".data.restoring is what it had made", "rm -r"),
    row(
        faults.what_was_before, "half-restored", "warning", ".data.restoring is what was there before",
        "rm -r",
    ),
    row(faults.a_drill_cut_short, "half-restored", "warning", "{place.paths.backups}/.drill", "backup drill"),
    row(
        faults.a_backup_that_failed, "backups", "error", "the last backup failed", "no room on the disk",
        "backup create",
    ),
    row(faults.a_drill_that_failed, "backups", "error", "the last drill failed", "cut short", "backup drill"),
    row(faults.backups_that_stopped, "backups", "warning", "two of its times have passed", "backup create"),
    row(faults.a_damaged_archive, "backups", "error", "appliance-2026.tar.zst.age", "backup create"),
    row(faults.a_damaged_book, "backups", "error", "{place.paths.backups}/book.json cannot be read", "mv '"),
    row(
        faults.an_archive_that_is_gone, "backups", "warning", "appliance-2026.tar.zst.age, is not there",
        "backup create",
    ),
    row(faults.no_backup_key, "backups", "error", "{place.paths.backup_key} is missing", "bring back"),
    row(
        faults.a_lake_part_cut_off, "lake", "error", "responses/date=2026-01-01/responses.parquet",
        "lake rebuild",
    ),
    row(faults.a_lake_state_of_nobody, "lake", "error", "{place.paths.lake}/state.json", "lake rebuild"),
    row(faults.a_lagging_lake, "lake", "warning", "the analytics lag", "logs scheduler"),
    row(faults.large_logs, "log-size", "warning", "{place.paths.logs} holds 2.0 GiB", "du -sh"),
    row(
        faults.a_clock_that_went_back, "clock", "error", "{place.paths.logs}/api-1.log was written on",
        "timedatectl",
    ),
    row(
        faults.a_port_of_somebody, "ports", "error", "port {place.http_port} on 127.0.0.1",
        "APPLIANCE_HTTP_PORT",
    ),
    row(
        faults.a_mail_server_that_is_away, "mail", "warning", "127.0.0.1 port", "cannot be reached",
        "SMTP_URL",
    ),
    row(faults.leftovers_of_a_run, "leftovers", "warning", "processes of an earlier run are left", "up"),
    row(faults.forgotten_maintenance, "maintenance", "warning", "maintenance is on", "maintenance off"),
    row(faults.a_model_cut_off, "ai", "warning", "{place.scratch}/model.gguf", "EMBEDDING_MODEL"),
    row(
        faults.packages_of_before, "packages", "warning", "{place.scratch}/home/.venv does not have",
        "runtime.txt", "up",
    ),
    row(
        faults.a_python_that_went, "packages", "warning",
        "{place.scratch}/home/.venv was made with a Python", "up",
    ),
]  # fmt: skip


@pytest.mark.parametrize("planted", ROWS, ids=lambda row: row.name)
def test_a_planted_fault_is_named_and_nothing_is_touched(place: Place, planted: Row[Place]) -> None:
    judge(planted, place, examine, mark)


def test_a_fault_that_is_not_there_is_not_found(place: Place) -> None:
    """Each row fails when nothing is planted: none of them is always so."""
    healthy = examine(place)
    for planted in ROWS:
        with pytest.raises(AssertionError, match="one finding of"):
            judge(replace(planted, plant=nothing), place, lambda _: healthy, lambda _: None)


@pytest.mark.parametrize("name", ["written", "opened up", "aged"])
def test_a_doctor_that_touches_anything_is_caught(place: Place, name: str) -> None:
    """So that the rows say more than that they looked."""
    path = place.paths.secrets / "redis_password"

    def touching(place: Place) -> list[Finding]:
        found = examine(place)
        if name == "written":
            path.write_text(path.read_text() + " ")
        elif name == "opened up":
            path.chmod(0o640 if path.stat().st_mode & 0o777 == 0o600 else 0o600)
        else:
            os.utime(path, (1, path.stat().st_mtime + 1))
        return found

    (planted,) = [row for row in ROWS if row.name == "forgotten_maintenance"]
    with pytest.raises(AssertionError, match="doctor has touched something"):
        judge(planted, place, touching, mark)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_somebody_may_not_look_at_is_told_and_is_no_fault() -> None:
    """As the API with an APPLIANCE_USER, whose `.env` is root's."""
    with temporary_data() as data:
        data.parent.chmod(0o755)
        dotenv = data.parent / ".env"
        dotenv.write_text("APPLIANCE_HTTP_PROT=80\n")
        dotenv.chmod(0o600)
        data.mkdir(mode=0o700)
        os.chown(data, 65534, -1)
        given = {"APPLIANCE_DATA": str(data), "APPLIANCE_DATTA": "x"}
        chosen = settings.load(given, dotenv=data / "none")
        os.seteuid(65534)
        try:
            found = doctor.examine(Situation(chosen, chosen, given, dotenv))
        finally:
            os.seteuid(0)
    told = [(each.severity, each.meaning) for each in found if each.check == "setting-names"]
    assert told[0][0] == "warning" and "APPLIANCE_DATTA" in told[0][1]
    assert told[1] == ("ok", f"not all of it may be looked at: [Errno 13] Permission denied: '{dotenv}'")
    assert {each.check for each in found if each.severity == "error"} == {"supervisor"}


def test_a_check_that_fails_hides_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Situation) -> Iterator[Fault]:
        yield "error", "what it had found", "mend it"
        raise KeyError("ours")

    before = {each.check for each in examine(place)}
    first, *others = CHECKS
    monkeypatch.setattr(checks, "CHECKS", [replace(first, look=broken), *others])
    found = examine(place)
    assert {each.check for each in found} == before
    told = [(each.severity, each.meaning) for each in found if each.check == first.name]
    assert told == [("error", "what it had found"), ("warning", "this check failed: KeyError('ours')")]


def test_a_limit_of_this_very_terminal_is_named_by_the_command_itself(place: Place) -> None:
    """Too few open files: planted for a process alone, so the command is one. The exit status is 2."""
    command = [
        "sh",
        "-ec",
        'ulimit -n 1000; exec "$@"',
        "sh",
        sys.executable,
        "-P",
        "-m",
        "appliance",
        "doctor",
    ]
    before = mark(place)
    told = appliance_command(command=[*command, "--json"], data=place.data, **place.environ)
    assert mark(place) == before
    found = [(row["check"], row["severity"]) for row in json.loads(told.stdout) if row["severity"] != "ok"]
    assert found == [("supervisor", "error"), ("open-files", "error")]
    assert told.returncode == 2
    shown = appliance_command(command=command, data=place.data, **place.environ).stdout
    assert "a process may open 1000 files, 4096 are needed" in shown
    assert "next: ulimit -Hn 4096 as root" in shown


def test_a_restore_that_goes_on_is_not_one_that_was_cut_short(place: Place) -> None:
    with planting(faults.a_draft_beside)(place):
        descriptor = os.open(place.data.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            told = [each.severity for each in examine(place) if each.check == "half-restored"]
        finally:
            os.close(descriptor)
        assert told == ["ok"]
        assert [each.severity for each in examine(place) if each.check == "half-restored"] == ["warning"]


def test_the_file_system_is_that_of_the_mount_that_is_nearest() -> None:
    mounts = (
        "21 1 0:20 / / rw - ext4 /dev/vda1 rw\n"
        "30 21 0:30 / /srv rw shared:1 - nfs4 nas:/srv rw\n"
        "31 30 0:31 / /srv/with\\040blank rw - tmpfs tmpfs rw\n"
    )
    kinds = [
        inside.kind_of(Path(path), mounts) for path in ("/var", "/srv/forms", "/srv/with blank/a", "/srvs")
    ]
    assert kinds == ["ext4", "nfs4", "tmpfs", "ext4"]
    assert "nfs4".startswith(inside.NETWORK)
