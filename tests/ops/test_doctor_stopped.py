"""Faults planted into the data folder of an appliance that does not run, and what doctor makes of them.

Each is real: a mode, a full disk, a file that is cut off. doctor names it, changes nothing, and says no more.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from appliance import disk, settings
from appliance.addresses import Paths
from appliance.analytics.lake import Lake
from appliance.backups import book, keys
from appliance.backups.book import Archive
from appliance.clock import rfc3339, utc_now
from appliance.ops import doctor
from appliance.ops.findings import Finding, Situation
from appliance.runtime import folders, records, serving, swapping
from appliance.security import keyring
from appliance.settings import HOME
from tests import disks, models
from tests.ops.fingerprints import Mark, fingerprint
from tests.ops.planting import Row, judge, nothing
from tests.runtime.servers import free_port, free_ports, until
from tests.tls.authority import Authority

DAY = dt.timedelta(days=1)
Planting = Callable[["Place"], Iterator[None]]


@dataclass
class Place:
    """A data folder and the terminal that doctor is called in."""

    data: Path
    dotenv: Path
    scratch: Path
    environ: dict[str, str] = field(default_factory=dict)
    home: Path = HOME

    @property
    def paths(self) -> Paths:
        return Paths(self.data)

    @property
    def http_port(self) -> str:
        return self.environ["APPLIANCE_HTTP_PORT"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """As `up` and some nights leave it."""
    data = tmp_path / "data"
    environ = {
        "PATH": os.environ["PATH"],
        "APPLIANCE_HTTP_PORT": str(free_port()),
        "APPLIANCE_HTTPS_PORT": str(free_port()),
        "APPLIANCE_PORT_BASE": str(free_ports(5)),
    }
    chosen = settings.load({**environ, "APPLIANCE_DATA": str(data)}, dotenv=tmp_path / "none")
    paths = Paths(chosen.data)
    folders.create(paths)
    folders.create_secrets(paths, chosen)
    serving.settle(chosen)
    keyring.open_keyring(paths.jwt_keys, None)
    keys.ensure(paths.backup_key)
    lake = Lake(paths.lake)
    part = lake.responses / "date=2026-01-01" / "responses.parquet"
    part.parent.mkdir(parents=True)
    pq.write_table(pa.table({"response_id": ["a", "b"]}), part)
    lake.save({**lake.state(), "version": 1, "as_of": rfc3339(utc_now())})
    archive = paths.backups / "appliance-2026.tar.zst.age"
    archive.write_bytes(b"sealed")
    with book.changing(paths.backups) as noted:
        now = utc_now()
        noted.backup.since = noted.drill.since = now
        noted.backup.succeed(now, archive.name, 6, 2, 1.0)
        noted.archives[archive.name] = Archive(now, 6, 2, now, now)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made = Place(data, tmp_path / ".env", scratch, environ)
    made.dotenv.write_text("APPLIANCE_LOG_LEVEL=info\n")
    made.dotenv.chmod(0o600)
    return made


def examine(place: Place) -> list[Finding]:
    """As the command does, in this process: with these settings and no others."""
    given = {**place.environ, "APPLIANCE_DATA": str(place.data), settings.HELD: str(place.dotenv)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", given)
        if place.home is HOME:
            return doctor.examine()
        chosen = settings.load(given)
        return doctor.examine(Situation(chosen, chosen, given, place.dotenv, home=place.home))


def mark(place: Place) -> dict[str, Mark]:
    """All that is there: the data folder, what lies beside it, and the disk that may be mounted."""
    found = fingerprint(place.data.parent)
    if not place.data.is_relative_to(place.dotenv.parent):
        found |= fingerprint(place.dotenv.parent)
    return found


@contextmanager
def with_mode(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode & 0o7777
    path.chmod(mode)
    yield
    path.chmod(before)


@contextmanager
def with_owner(path: Path, owner: int) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    before = path.stat().st_uid
    os.chown(path, owner, -1)
    yield
    os.chown(path, before, -1)


@contextmanager
def with_content(path: Path, content: bytes | None, *, mode: int = 0o600) -> Iterator[None]:
    """None: without the file."""
    before = path.read_bytes() if path.exists() else None
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        path.chmod(mode)
    yield
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)
        path.chmod(mode)


@contextmanager
def with_folder(path: Path, *, mark: str | None = None) -> Iterator[None]:
    path.mkdir(mode=0o700)
    if mark:
        (path / mark).touch()
    yield
    shutil.rmtree(path)


@contextmanager
def without_folder(path: Path) -> Iterator[None]:
    aside = path.with_name(f"{path.name}.aside")
    path.rename(path.parent.parent / aside.name)
    yield
    (path.parent.parent / aside.name).rename(path)


@contextmanager
def with_settings(place: Place, **given: str) -> Iterator[None]:
    before = dict(place.environ)
    place.environ.update(given)
    yield
    place.environ = before


@contextmanager
def on_disk(place: Place, size: str, *, used: int = 0) -> Iterator[None]:
    """A disk of its own of that size, with the data folder on it and so many bytes in one file more."""
    before = place.data
    with disks.mounted(size) as folder:
        place.data = folder / "data"
        shutil.copytree(before, place.data, symlinks=True)
        place.data.chmod(0o700)
        if used:
            (place.data / "files" / "large").write_bytes(bytes(used))
        yield
        place.data = before


@contextmanager
def book_of(place: Place, change: Callable[[book.Book], None]) -> Iterator[None]:
    path = place.paths.backups / book.FILE
    before = path.read_bytes()
    with book.changing(place.paths.backups) as noted:
        change(noted)
    yield
    disk.write_durably(path, before)


def mode_of_the_folder(place: Place) -> Iterator[None]:
    with with_mode(place.data, 0o755):
        yield


def mode_of_a_folder(place: Place) -> Iterator[None]:
    with with_mode(place.data / "files", 0o750):
        yield


def owner_of_a_folder(place: Place) -> Iterator[None]:
    with with_owner(place.data / "files", 65534):
        yield


def owner_of_a_file(place: Place) -> Iterator[None]:
    with with_owner(place.paths.lake / "state.json", 65534):
        yield


def a_missing_folder(place: Place) -> Iterator[None]:
    with without_folder(place.data / "files"):
        yield


def a_file_nobody_reads(place: Place) -> Iterator[None]:
    with with_content(place.data / "files" / "upload", b"x", mode=0o000):
        yield


def a_link_out(place: Place) -> Iterator[None]:
    link = place.data / "files" / "elsewhere"
    link.symlink_to(place.scratch)
    yield
    link.unlink()


def source_code(place: Place) -> Iterator[None]:
    with with_content(place.data / "pyproject.toml", b""):
        yield


def a_long_path(place: Place) -> Iterator[None]:
    before = place.data
    place.data = place.scratch / ("long" * 25) / "data"
    place.data.parent.mkdir(mode=0o700)
    before.rename(place.data)
    yield
    place.data.rename(before)
    (place.scratch / ("long" * 25)).rmdir()
    place.data = before


def a_full_disk(place: Place) -> Iterator[None]:
    with on_disk(place, "16m", used=14 * 2**20):
        yield


def a_nearly_full_disk(place: Place) -> Iterator[None]:
    with on_disk(place, "1g"):
        yield


def no_more_files(place: Place) -> Iterator[None]:
    with on_disk(place, "4g,nr_inodes=300"):
        yield


def a_disk_in_memory(place: Place) -> Iterator[None]:
    with on_disk(place, "4g"):
        yield


def served(place: Place, **moments: dt.datetime) -> bytes:
    chain, key = Authority().write(place.scratch, "forms.test", **moments)
    text = b"# appliance: self-signed\n" + chain.read_bytes() + key.read_bytes()
    chain.unlink()
    key.unlink()
    return text


def an_expired_certificate(place: Place) -> Iterator[None]:
    with with_content(place.paths.served, served(place, begins=utc_now() - 9 * DAY, ends=utc_now() - DAY)):
        yield


def a_certificate_that_ends(place: Place) -> Iterator[None]:
    text = served(place, begins=utc_now() - 85 * DAY, ends=utc_now() + 5 * DAY)
    with with_content(place.paths.served, text):
        yield


def a_damaged_certificate(place: Place) -> Iterator[None]:
    with with_content(place.paths.served, place.paths.served.read_bytes()[:300]):
        yield


def a_key_of_another(place: Place) -> Iterator[None]:
    whole, other = served(place), served(place)
    begin = b"-----BEGIN EC"
    with with_content(place.paths.served, whole.partition(begin)[0] + begin + other.partition(begin)[2]):
        yield


def own_files_of_two(place: Place) -> Iterator[None]:
    """The operator's certificate, and the key of the one before."""
    chain, key = Authority().write(place.scratch, "forms.test")
    other = place.scratch / "other"
    other.mkdir()
    _, wrong = Authority().write(other, "forms.test")
    given = {"APPLIANCE_TLS_CERTIFICATE": str(chain), "APPLIANCE_TLS_KEY": str(wrong)}
    with with_settings(place, **given):
        yield
    shutil.rmtree(other)
    chain.unlink()
    key.unlink()


def an_open_secret(place: Place) -> Iterator[None]:
    with with_mode(place.paths.redis_password, 0o644):
        yield


def an_empty_secret(place: Place) -> Iterator[None]:
    before = place.paths.redis_password.stat().st_mtime_ns
    with with_content(place.paths.redis_password, b"\n"):
        yield
    os.utime(place.paths.redis_password, ns=(before, before))


def damaged_keys(place: Place) -> Iterator[None]:
    with with_content(place.paths.jwt_keys, place.paths.jwt_keys.read_bytes()[:20]):
        yield


def an_old_secret(place: Place) -> Iterator[None]:
    path = place.paths.redis_password
    before = path.stat().st_mtime_ns
    old = time.time_ns() - 100 * 86400 * 10**9
    os.utime(path, ns=(old, old))
    yield
    os.utime(path, ns=(before, before))


def an_open_dotenv(place: Place) -> Iterator[None]:
    with with_mode(place.dotenv, 0o644):
        yield


def a_misspelt_setting(place: Place) -> Iterator[None]:
    with with_content(place.dotenv, b"APPLIANCE_HTTP_PROT=80\n"):
        yield


def a_setting_that_is_none(place: Place) -> Iterator[None]:
    with with_content(place.dotenv, b"APPLIANCE_HTTP_PORT_=1\nAPPLIANCE_TOKEN_HOURS=never\n"):
        yield


def no_time_zones(place: Place) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "tzdata", None)
        zoneinfo.reset_tzpath(to=())
        yield
    zoneinfo.reset_tzpath()


def setting(**given: str) -> Planting:
    def plant(place: Place) -> Iterator[None]:
        with with_settings(place, **{name: text.format(place=place) for name, text in given.items()}):
            yield

    return plant


def no_mongod(place: Place) -> Iterator[None]:
    if shutil.which("mongod"):
        pytest.skip("there is one")
    with with_settings(place, APPLIANCE_MONGO="mongod"):
        yield


def data_of_another_server(place: Place) -> Iterator[None]:
    with with_content(place.paths.mongo / "kind", b"some other\n"):
        yield


def half_swapped(place: Place) -> Iterator[None]:
    swapping.begin(place.data, "2026-01-01T00-00-00Z")
    yield
    (place.data / ".swapping").unlink()


def a_draft_within(place: Place) -> Iterator[None]:
    with with_folder(place.data / swapping.DRAFT, mark=".restoring"):
        yield


def a_draft_beside(place: Place) -> Iterator[None]:
    with with_folder(place.data.with_name(".data.restoring"), mark=".restoring"):
        yield


def what_was_before(place: Place) -> Iterator[None]:
    with with_folder(place.data.with_name(".data.restoring")):
        yield


def a_drill_cut_short(place: Place) -> Iterator[None]:
    with with_folder(place.paths.backups / ".drill"):
        yield


def a_backup_that_failed(place: Place) -> Iterator[None]:
    with book_of(place, lambda noted: noted.backup.fail(utc_now(), "no room on the disk")):
        yield


def a_drill_that_failed(place: Place) -> Iterator[None]:
    with book_of(place, lambda noted: noted.drill.fail(utc_now(), "cut short", "appliance-2026.tar.zst.age")):
        yield


def backups_that_stopped(place: Place) -> Iterator[None]:
    def change(noted: book.Book) -> None:
        noted.backup.since = noted.backup.succeeded_at = utc_now() - 4 * DAY

    with book_of(place, change):
        yield


def a_damaged_archive(place: Place) -> Iterator[None]:
    def change(noted: book.Book) -> None:
        noted.archives["appliance-2026.tar.zst.age"].fault = "it is cut short"

    with book_of(place, change):
        yield


def a_damaged_book(place: Place) -> Iterator[None]:
    path = place.paths.backups / book.FILE
    with with_content(path, path.read_bytes()[:-40]):
        yield


def an_archive_that_is_gone(place: Place) -> Iterator[None]:
    with with_content(place.paths.backups / "appliance-2026.tar.zst.age", None, mode=0o644):
        yield


def no_backup_key(place: Place) -> Iterator[None]:
    before = place.paths.backup_key.stat().st_mtime_ns
    with with_content(place.paths.backup_key, None):
        yield
    os.utime(place.paths.backup_key, ns=(before, before))


def a_lake_part_cut_off(place: Place) -> Iterator[None]:
    part = place.paths.lake / "responses" / "date=2026-01-01" / "responses.parquet"
    with with_content(part, part.read_bytes()[:-9]):
        yield


def a_lake_state_of_nobody(place: Place) -> Iterator[None]:
    with with_content(place.paths.lake / "state.json", b'{"version": 0}'):
        yield


def a_lagging_lake(place: Place) -> Iterator[None]:
    lake = Lake(place.paths.lake)
    before = lake.state()
    lake.save({**before, "version": 1, "as_of": rfc3339(utc_now() - 3 * DAY)})
    lake.note_due((utc_now() - 2 * DAY).timestamp())
    yield
    lake.save({**before, "version": 1})
    (place.paths.lake / "due.json").unlink()


def large_logs(place: Place) -> Iterator[None]:
    log = place.paths.logs / "core.1"
    with log.open("wb") as file:
        file.truncate(2 * 2**30)
    yield
    log.unlink()


def a_clock_that_went_back(place: Place) -> Iterator[None]:
    log = place.paths.logs / "api-1.log"
    log.touch()
    ahead = time.time() + 86400
    os.utime(log, (ahead, ahead))
    yield
    log.unlink()


def a_port_of_somebody(place: Place) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", int(place.http_port))):
        yield


def a_mail_server_that_is_away(place: Place) -> Iterator[None]:
    with with_settings(place, SMTP_URL=f"smtp://127.0.0.1:{free_port()}"):
        yield


def leftovers_of_a_run(place: Place) -> Iterator[None]:
    child = subprocess.Popen(["sleep", "600"], cwd=place.paths.run, process_group=0)
    try:
        until(lambda: Path(f"/proc/{child.pid}/cwd").resolve() == place.paths.run)
        records.write(place.paths, "scheduler", child.pid)
        yield
    finally:
        child.kill()
        child.wait()
    records.remove(place.paths, "scheduler")


def forgotten_maintenance(place: Place) -> Iterator[None]:
    with with_content(place.paths.maintenance, b""):
        yield


def a_model_cut_off(place: Place) -> Iterator[None]:
    models.until_built()
    path = place.scratch / "model.gguf"
    with models.embedding_model().open("rb") as whole:
        path.write_bytes(whole.read(2**20))
    with with_settings(place, EMBEDDING_MODEL=str(path)):
        yield
    path.unlink()


def checkout(place: Place) -> Path:
    """With an environment that is as it should be, of which `change` takes something away."""
    home = place.scratch / "home"
    listed = home / "deploy" / "requirements" / "runtime.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("litestar==2\n")
    python = home / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    (home / ".venv" / "lib" / Path(sys.executable).resolve().name).mkdir(parents=True)
    with listed.open() as file:
        digest = subprocess.run(["sha256sum"], stdin=file, capture_output=True, text=True, check=True)
    (home / ".venv" / "ready").write_text(f"{home} {digest.stdout.strip()}\n")
    return home


def packages_of_before(place: Place) -> Iterator[None]:
    """The code was updated, and `up` did not run since."""
    place.home = checkout(place)
    assert not [each for each in examine(place) if each.check == "packages" and each.severity != "ok"]
    (place.home / "deploy" / "requirements" / "runtime.txt").write_text("litestar==3\n")
    yield
    shutil.rmtree(place.home)
    place.home = HOME


def a_python_that_went(place: Place) -> Iterator[None]:
    place.home = checkout(place)
    python = place.home / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(place.home / "python3.9")
    yield
    shutil.rmtree(place.home)
    place.home = HOME


def row(
    plant: Planting, check: str, severity: str, *words: str, also: str = "", hides: str = ""
) -> Row[Place]:
    return Row(
        plant.__name__,
        contextmanager(plant),
        check,
        severity,  # type: ignore[arg-type] # one of the three
        words,
        frozenset(also.split()),
        frozenset(hides.split()),
    )


def of_setting(name: str, value: str, check: str, severity: str, *words: str) -> Row[Place]:
    planted = row(setting(**{name: value}), check, severity, *words)
    return replace(planted, name=f"{name}={value}")


ROWS = [
    row(mode_of_the_folder, "data-folder", "error", "{place.data} has mode 0755", "chmod 700 '{place.data}'"),
    row(mode_of_a_folder, "data-folder", "error", "{place.data}/files has mode 0750", "chmod 700"),
    row(owner_of_a_folder, "data-folder", "error", "{place.data}/files belongs to nobody", "chown"),
    row(a_missing_folder, "data-folder", "warning", "files of {place.data} is missing", "bring back"),
    row(owner_of_a_file, "files-inside", "error", "{place.data}/lake/state.json: not of", "chown -R"),
    row(a_file_nobody_reads, "files-inside", "error", "{place.data}/files/upload", "chmod u+rw"),
    row(a_link_out, "files-inside", "warning", "{place.data}/files/elsewhere", "out of", "rm '"),
    row(source_code, "place", "error", "pyproject.toml", "source code", "set APPLIANCE_DATA"),
    row(
        a_long_path, "place", "error", "the path has", "bytes", "shorter path",
        also="supervisor", hides="supervisor",
    ),
    row(
        a_full_disk, "disk", "error", "are free for {place.data}: writes will fail",
        "df -h", also="file-system supervisor", hides="supervisor",
    ),
    row(
        a_nearly_full_disk, "disk", "warning", "are free for {place.data}",
        "df -h", also="file-system supervisor", hides="supervisor",
    ),
    row(
        no_more_files, "disk", "error", "more files", "{place.data}",
        "df -i", also="file-system supervisor", hides="supervisor",
    ),
    row(
        a_disk_in_memory, "file-system", "warning", "tmpfs", "the next boot takes all", "move",
        also="supervisor", hides="supervisor",
    ),
    row(an_expired_certificate, "certificate", "error", "the certificate expired on", "restart"),
    row(a_certificate_that_ends, "certificate", "warning", "the certificate expires on", "restart"),
    row(a_damaged_certificate, "certificate", "error", "{place.paths.served} is damaged", "rm '"),
    row(a_key_of_another, "certificate", "error", "{place.paths.served} do not belong together", "rm '"),
    row(
        own_files_of_two, "certificate", "error", "{place.scratch}/chain.pem", "do not belong together",
        "pubkey",
    ),
    row(an_open_secret, "secrets", "error", "{place.paths.redis_password} has mode 0644", "chmod 600"),
    row(an_empty_secret, "secrets", "error", "{place.paths.redis_password} is empty", "rm '"),
    row(damaged_keys, "secrets", "error", "{place.paths.jwt_keys} holds no keys", "mv '"),
    row(an_open_dotenv, "secrets", "warning", "{place.dotenv} can be read by everybody", "chmod 600"),
    row(an_old_secret, "secret-age", "warning", "redis is 100 days old", "secrets rotate redis"),
    row(
        a_misspelt_setting, "setting-names", "warning", "APPLIANCE_HTTP_PROT",
        "rename it to APPLIANCE_HTTP_PORT",
    ),
    row(
        a_setting_that_is_none, "settings", "error", "APPLIANCE_TOKEN_HOURS='never'", "{place.dotenv}:2",
        "correct it", hides="database-kind supervisor",
    ),
    row(
        no_time_zones, "settings", "error", "no tables of time zones",
        "tzdata", hides="database-kind supervisor",
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
    row(no_mongod, "database-kind", "error", "there is no mongod", "up", hides="database-kind"),
    row(
        data_of_another_server, "database-kind", "error", "{place.paths.mongo} was made by some other",
        "set APPLIANCE_MONGO", hides="database-kind",
    ),
    row(half_swapped, "half-restored", "error", "{place.data} was cut short", "up"),
    row(a_draft_within, "half-restored", "warning", "{place.data}/.draft", "rm -r"),
    row(a_draft_beside, "half-restored", "warning", ".data.restoring is what it had made", "rm -r"),
    row(what_was_before, "half-restored", "warning", ".data.restoring is what was there before", "rm -r"),
    row(a_drill_cut_short, "half-restored", "warning", "{place.paths.backups}/.drill", "backup drill"),
    row(
        a_backup_that_failed, "backups", "error", "the last backup failed", "no room on the disk",
        "backup create",
    ),
    row(a_drill_that_failed, "backups", "error", "the last drill failed", "cut short", "backup drill"),
    row(backups_that_stopped, "backups", "warning", "two of its times have passed", "backup create"),
    row(a_damaged_archive, "backups", "error", "appliance-2026.tar.zst.age", "backup create"),
    row(a_damaged_book, "backups", "error", "{place.paths.backups}/book.json cannot be read", "mv '"),
    row(
        an_archive_that_is_gone, "backups", "warning", "appliance-2026.tar.zst.age, is not there",
        "backup create",
    ),
    row(no_backup_key, "backups", "error", "{place.paths.backup_key} is missing", "bring back"),
    row(a_lake_part_cut_off, "lake", "error", "responses/date=2026-01-01/responses.parquet", "lake rebuild"),
    row(a_lake_state_of_nobody, "lake", "error", "{place.paths.lake}/state.json", "lake rebuild"),
    row(a_lagging_lake, "lake", "warning", "the analytics lag", "logs scheduler"),
    row(large_logs, "log-size", "warning", "{place.paths.logs} holds 2.0 GiB", "du -sh"),
    row(
        a_clock_that_went_back, "clock", "error", "{place.paths.logs}/api-1.log was written on",
        "timedatectl",
    ),
    row(a_port_of_somebody, "ports", "error", "port {place.http_port} on 127.0.0.1", "APPLIANCE_HTTP_PORT"),
    row(a_mail_server_that_is_away, "mail", "warning", "127.0.0.1 port", "cannot be reached", "SMTP_URL"),
    row(leftovers_of_a_run, "leftovers", "warning", "processes of an earlier run are left", "up"),
    row(forgotten_maintenance, "maintenance", "warning", "maintenance is on", "maintenance off"),
    row(a_model_cut_off, "ai", "warning", "{place.scratch}/model.gguf", "EMBEDDING_MODEL"),
    row(
        packages_of_before, "packages", "warning", "{place.scratch}/home/.venv does not have",
        "runtime.txt", "up",
    ),
    row(a_python_that_went, "packages", "warning", "{place.scratch}/home/.venv was made with a Python", "up"),
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
