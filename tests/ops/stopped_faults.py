"""Faults of a data folder, and how each is planted and taken away: called as context managers."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import socket
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.analytics.lake import Lake
from appliance.backups import book
from appliance.clock import rfc3339, utc_now
from appliance.runtime import records, swapping
from appliance.settings import HOME
from tests import models
from tests.ops.stopped_place import (
    DAY,
    Place,
    Planting,
    book_of,
    examine,
    on_disk,
    with_content,
    with_folder,
    with_mode,
    with_owner,
    with_settings,
    without_folder,
)
from tests.runtime.servers import free_port, until
from tests.tls.authority import Authority


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
