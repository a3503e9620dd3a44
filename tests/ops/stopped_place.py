"""The data folder of an appliance that does not run, and what is done to it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from appliance.runtime import folders, serving
from appliance.security import keyring
from appliance.settings import HOME
from tests import disks
from tests.ops.fingerprints import Mark, fingerprint
from tests.runtime.servers import free_ports

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


def make(tmp_path: Path) -> Place:
    """As `up` and some nights leave it."""
    data, first = tmp_path / "data", free_ports(7)
    environ = {
        "PATH": os.environ["PATH"],
        "APPLIANCE_HTTP_PORT": str(first),
        "APPLIANCE_HTTPS_PORT": str(first + 1),
        "APPLIANCE_PORT_BASE": str(first + 2),
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
