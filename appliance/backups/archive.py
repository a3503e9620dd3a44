"""A backup as a file: a tar archive, compressed by zstd, encrypted by age. Their own tools read it too:

    age -d -i key FILE | zstd -d | tar x

Contract: an archive is there whole or not at all. Its last member, `manifest.json`, tells the size and hash
of every other one, and age tells of each byte that is missing or was changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, cast

import pyarrow as pa
import pyrage

from appliance import disk

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_BLOCK: Final = 2**20

Told = Callable[[int, int], None]
"""How many bytes are done, of how many."""


class Damaged(Exception):
    """It is no backup, is not whole, was changed, or another key opens it; says which."""


class Member(NamedTuple):
    size: int
    sha256: str


class Writer:
    """Members one after the other, each whole."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.check: Callable[[], None] = lambda: None
        """Called before each piece that is written; what it raises ends the writing."""
        self.members: dict[str, Member] = {}

    def add(self, name: str, content: bytes) -> None:
        self._add(name, len(content), io.BytesIO(content), hashlib.sha256(content).hexdigest)

    def add_file(self, name: str, path: Path) -> None:
        """Raises OSError."""
        with path.open("rb") as file:
            hashing = _Hashing(file, self.check)
            self._add(name, os.fstat(file.fileno()).st_size, hashing, hashing.digest.hexdigest)

    def _add(self, name: str, size: int, content: Any, digest: Callable[[], str]) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = size, 0o600
        self.check()
        self._tar.addfile(entry, content)
        self.members[name] = Member(size, digest())

    def finish(self, about: dict[str, Any]) -> None:
        """The manifest: `about`, and what is in the archive."""
        members = {name: member._asdict() for name, member in self.members.items()}
        self.add(MANIFEST, json.dumps({"format": FORMAT, **about, "members": members}).encode())


class _Hashing:
    """Hashes what is read through it."""

    def __init__(self, file: IO[bytes], check: Callable[[], None] = lambda: None) -> None:
        self._file, self.digest, self._check = file, hashlib.sha256(), check

    def read(self, count: int = -1) -> bytes:
        self._check()
        piece = self._file.read(count)
        self.digest.update(piece)
        return piece


def draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


@contextlib.contextmanager
def writing(
    path: Path,
    recipient: pyrage.x25519.Recipient,
    *,
    reader: pyrage.x25519.Identity | None = None,
    is_whole: Callable[[], None] = lambda: None,
) -> Iterator[Writer]:
    """What is written takes the name `path` when all went well, and when the `reader` has read all of it back
    from the disk; else nothing is left. `is_whole` is called just before. Raises Damaged, OSError.
    """
    draft = draft_of(path)
    try:
        with draft.open("wb", buffering=0) as file:
            os.fchmod(file.fileno(), 0o600)
            kept = _Kept(file)
            with _piped(lambda source: kept.check(pyrage.encrypt_io, source, [recipient]), "wb") as sink:
                with pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd") as packed:
                    with tarfile.open(fileobj=cast(Any, packed), mode="w|", bufsize=_BLOCK) as tar:
                        yield Writer(tar)
        if reader is not None:
            _drop_from_memory(draft)
            check(draft, reader)
        is_whole()
        disk.move_durably(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _drop_from_memory(path: Path) -> None:
    """So that what is read next comes from the disk. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class _Kept:
    """A file that remembers which write failed. Measured: age drops the fault of its last one, so that an
    archive on a full disk was cut short and nobody said so.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._fault: OSError | None = None

    def write(self, piece: bytes) -> int:
        left = memoryview(piece)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as fault:
            self._fault = fault
            raise
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def check(self, encrypt: Callable[..., None], source: IO[bytes], recipients: list[Any]) -> None:
        """Raises OSError, whatever age makes of it."""
        try:
            encrypt(source, self, recipients)
        finally:
            if self._fault is not None:
                raise self._fault


@contextlib.contextmanager
def reading(
    path: Path, *identities: pyrage.x25519.Identity, told: Told | None = None
) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    """The members in their order; each must be read before the next. One of the identities must open it.
    `told` hears how many of its bytes were read. Raises Damaged, OSError.
    """
    with path.open("rb") as file:
        try:
            read: Any = _Counted(file, told) if told else file
            with _piped(lambda sink: pyrage.decrypt_io(read, sink, list(identities)), "rb") as source:
                with pa.CompressedInputStream(pa.PythonFile(source, "r"), "zstd") as packed:
                    with tarfile.open(fileobj=cast(Any, packed), mode="r|", bufsize=_BLOCK) as tar:
                        yield _members(tar)
        except (pyrage.DecryptError, tarfile.TarError, pa.ArrowException, EOFError, OSError) as fault:
            if isinstance(fault, OSError) and fault.errno is not None:  # the disk's; age's own have no number
                raise
            raise Damaged(_words(path, fault)) from None


class _Counted:
    """Tells how much was read of a file."""

    def __init__(self, file: IO[bytes], told: Told) -> None:
        self._file, self._told, self._done = file, told, 0
        self._total = os.fstat(file.fileno()).st_size

    def read(self, count: int = -1) -> bytes:
        piece = self._file.read(count)
        self._done += len(piece)
        self._told(self._done, self._total)
        return piece


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for entry in tar:
        content = tar.extractfile(entry)
        if content is None or entry.name.startswith(("/", "../")) or "/../" in entry.name:
            raise Damaged(f"the archive has an entry that no backup has: {entry.name!r}")
        yield entry.name, content


def _words(path: Path, fault: Exception) -> str:
    if isinstance(fault, pyrage.DecryptError | OSError):
        return f"{path} does not open: it is another key's, is not whole, or was changed ({fault})"
    return f"{path} is not a whole backup ({str(fault)[:200]})"


@contextlib.contextmanager
def _piped(work: Callable[[IO[bytes]], None], mode: str) -> Iterator[IO[bytes]]:
    """One end of a pipe; `work` has the other, in a thread. Raises what it raised."""
    source, sink = os.pipe()
    mine, its = (sink, source) if mode == "wb" else (source, sink)
    faults: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(its, "rb" if mode == "wb" else "wb") as end:
                work(end)
        except BaseException as fault:  # told by whoever waits for it
            faults.append(fault)

    thread = threading.Thread(target=run, name="backup")
    thread.start()
    try:
        with os.fdopen(mine, mode) as end:
            yield cast(IO[bytes], end)
    except BaseException as fault:
        thread.join()
        if faults and not isinstance(faults[0], BrokenPipeError):
            raise faults[0] from fault
        raise
    thread.join()
    if faults:
        raise faults[0]


def check(path: Path, *identities: pyrage.x25519.Identity, told: Told | None = None) -> Any:
    """The manifest, after every byte was read and compared with it. Raises Damaged, OSError."""
    found: dict[str, Member] = {}
    raw = b""
    with reading(path, *identities, told=told) as members:
        for name, content in members:
            if name == MANIFEST:
                raw = content.read()
                continue
            hashing, size = _Hashing(content), 0
            while piece := hashing.read(_BLOCK):
                size += len(piece)
            found[name] = Member(size, hashing.digest.hexdigest())
    try:
        manifest = json.loads(raw)
        made_by = manifest["format"]
        wanted = {name: Member(**member) for name, member in manifest["members"].items()}
        sum(int(tally["documents"]) for tally in manifest["collections"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Damaged(f"{path} has no manifest of a backup") from None
    if made_by != FORMAT:
        raise Damaged(f"{path} was made by another version: format {made_by!r}")
    if wanted != found:
        wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise Damaged(f"{path}: {wrong[0]} is not what its manifest says")
    return manifest


def copy(content: IO[bytes], path: Path) -> None:
    """A member into a file. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        shutil.copyfileobj(content, file, _BLOCK)
