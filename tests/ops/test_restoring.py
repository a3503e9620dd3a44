"""What a restore and a drill find out, and what a restore keeps: faults are planted for real."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import bson
import pytest

from appliance.backups import archive, book, keys
from appliance.backups.archive import MANIFEST, Damaged
from appliance.ops import drilling, restoring
from appliance.ops.progress import Told
from appliance.services import backups
from tests import disks
from tests.ops.command import appliance_command
from tests.running import Running

OTHER = 12_345
"""A user that the machine has no account for, and who owns the data folder."""
Plant = Callable[[str, bytes, dict[str, Any]], bytes | None]
"""What becomes of a member, and of the manifest; None: it is not written."""


@pytest.fixture(scope="module")
def backup(appliance: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = str(tmp_path_factory.mktemp("backups"))
    made = appliance_command(
        "backup", "create", "--json", "--folder", folder, data=appliance.paths.data, **_besides(appliance)
    )
    assert made.returncode == 0, made.stderr
    return Path(json.loads(made.stdout)["path"])


def _besides(appliance: Running) -> dict[str, str]:
    return {name: value for name, value in appliance.environ.items() if name != "APPLIANCE_DATA"}


def planted(backup: Path, key: Path, path: Path, plant: Plant) -> Path:
    """The archive once more, whole as far as age and its hashes of members tell."""
    identity = keys.read(key)
    members: list[tuple[str, bytes]] = []
    with archive.reading(backup, identity) as found:
        members.extend((name, content.read()) for name, content in found)
    manifest = json.loads(dict(members)[MANIFEST])
    with archive.writing(path, identity.to_public(), reader=identity) as writer:
        for name, content in members:
            if name != MANIFEST and (changed := plant(name, content, manifest)) is not None:
                writer.add(name, changed)
        about = {name: value for name, value in manifest.items() if name not in ("members", "format")}
        writer.finish(about)
    return path


def lose_document(name: str, content: bytes, manifest: dict[str, Any]) -> bytes | None:
    if not name.startswith("database/users/"):
        return content
    return b"".join(bson.encode(row) for row in bson.decode_all(content)[1:])


def change_document(name: str, content: bytes, manifest: dict[str, Any]) -> bytes | None:
    if not name.startswith("database/users/"):
        return content
    first, *others = bson.decode_all(content)
    return b"".join(map(bson.encode, [{**first, "display_name": "changed"}, *others]))


def more_of_another(name: str, content: bytes, manifest: dict[str, Any]) -> bytes | None:
    """A collection of which no document is in it."""
    manifest["collections"]["strangers"] = {**manifest["collections"]["users"]}
    return content


DOCUMENTS = {"lost": lose_document, "changed": change_document, "collection": more_of_another}


@pytest.mark.parametrize("fault", DOCUMENTS)
def test_a_document_that_is_not_as_it_was_is_found(
    appliance: Running, backup: Path, tmp_path: Path, fault: str
) -> None:
    """The members are those that the manifest tells of; the documents in them are not."""
    wrong = planted(backup, appliance.paths.backup_key, tmp_path / "wrong", DOCUMENTS[fault])
    name = "strangers" if fault == "collection" else "users"
    _is_refused(appliance, wrong, tmp_path, f"after it was restored, {name} is not what was backed up")


@pytest.mark.parametrize("fault", ["lost", "changed"])
def test_a_file_that_is_not_as_it_was_is_found(
    appliance: Running, backup: Path, tmp_path: Path, fault: str
) -> None:
    """The disk loses it, or has another content, after it was written and while the database is filled."""
    identities, there = keys.read_all(appliance.paths.backup_key), _data(tmp_path)
    spoilt = []

    def spoil(draft: Path) -> Told:
        def told(done: int, total: int) -> None:
            path = draft / "secrets" / "cursor_key"
            if path.exists() and done == total:
                spoilt.append(path)
                path.unlink() if fault == "lost" else path.write_text("other")

        return told

    word = "after it was restored, secrets/cursor_key is not what was backed up"
    draft, scratch = there.with_name(".data.restoring"), appliance.paths.backups / backups.SCRATCH
    with pytest.raises(Damaged, match=word):
        restoring.restore(replace(appliance.settings, data=there), backup, identities, spoil(draft))
    assert [each.name for each in there.parent.iterdir()] == ["data"]
    assert [each.name for each in there.rglob("*")] == ["secrets", "mine"]
    with pytest.raises(Damaged, match=word):
        drilling.drill(appliance.settings, backup, identities, spoil(scratch), noted=False)
    assert len({path.parent for path in spoilt}) == 2


def test_the_keys_that_were_there_go_on_opening_what_they_wrote(
    appliance: Running, backup: Path, tmp_path: Path
) -> None:
    """An older archive comes back after a rotation: the newer key writes on, and both open."""
    there = _data(tmp_path)
    own = there / "secrets" / "backup_key"
    own.write_bytes(appliance.paths.backup_key.read_bytes())
    keys.rotate(own)
    newer = keys.read(own)
    path = there / "backups" / f"appliance-2026-01-01T00-00-00Z{book.SUFFIX}"
    path.parent.mkdir(mode=0o700)
    with archive.writing(path, newer.to_public(), reader=newer) as writer:
        writer.finish({"collections": {}, "created_at": "2026-01-01T00:00:00Z", "missing_files": []})
    restored = appliance_command("backup", "restore", str(backup), "--replace", data=there)
    assert restored.returncode == 0, restored.stderr
    assert str(keys.read(own)) == str(newer)
    assert own.stat().st_mode & 0o777 == 0o600
    assert appliance_command("backup", "verify", str(path), data=there).returncode == 0
    assert appliance_command("backup", "verify", str(backup), data=there).returncode == 0


def test_which_key_writes_after_a_restore(tmp_path: Path) -> None:
    there, restored = tmp_path / "there", tmp_path / "restored"
    keys.join(there, restored)
    assert not restored.exists(), "none was there"
    old = keys.ensure(restored)
    keys.join(there, restored)
    assert [str(key) for key in keys.read_all(restored)] == [str(old)]
    fresh = keys.ensure(there)
    keys.join(there, restored)
    assert [str(key) for key in keys.read_all(restored)] == [str(old), str(fresh)], "a new machine's is after"
    keys.rotate(restored)
    text = restored.read_text()
    keys.join(there, restored)
    assert restored.read_text() == text, "it has all of them"
    there.write_text(text)
    keys.rotate(there)
    keys.join(there, restored)
    assert restored.read_text() == there.read_text(), "with the moments at which they were made"
    there.write_text("damaged")
    keys.join(there, restored)
    assert len(keys.read_all(restored)) == 4


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
@pytest.mark.parametrize("is_mount", [False, True])
def test_what_root_restores_belongs_to_whom_it_belonged(
    appliance: Running, backup: Path, tmp_path: Path, is_mount: bool
) -> None:
    with disks.mounted("900m") if is_mount else nullcontext(_data(tmp_path)) as there:
        outside = tmp_path / "roots"
        outside.write_text("of root, linked into the folder of a user")
        (there / "backups").mkdir(mode=0o700)
        (there / "backups" / book.FILE).symlink_to(outside)
        with suppress(OSError):  # a mount has links of its own disk only
            (there / "backups" / f"appliance-x{book.SUFFIX}").hardlink_to(outside)
        for path in (there, *there.rglob("*")):
            if not path.name.endswith(book.SUFFIX):
                os.chown(path, OTHER, OTHER, follow_symlinks=False)
        key = str(appliance.paths.backup_key)
        restored = appliance_command("backup", "restore", str(backup), "--key", key, "--replace", data=there)
        assert restored.returncode == 0, restored.stderr
        of_root = [
            path for path in (there, *there.rglob("*"))
            if path.lstat().st_uid != OTHER and not path.name.endswith(book.SUFFIX)
        ]  # fmt: skip
        assert of_root == []
        assert (there / "secrets" / "jwt_keys.json").lstat().st_uid == OTHER
        assert outside.stat().st_uid == 0, "no link leads a root's file to him"
        assert (there / "backups" / book.FILE).is_symlink()


def _is_refused(appliance: Running, wrong: Path, tmp_path: Path, word: str) -> None:
    key, there = str(appliance.paths.backup_key), _data(tmp_path)
    call = ["restore", str(wrong), "--key", key, "--replace"]
    told = appliance_command("backup", *call, data=there)
    assert (told.returncode, word in told.stderr) == (2, True), told.stderr
    assert [each.name for each in there.parent.iterdir()] == ["data"]
    assert [each.name for each in there.rglob("*")] == ["secrets", "mine"]
    told = appliance_command(
        "backup", "drill", str(wrong), "--key", key, data=appliance.paths.data, **_besides(appliance)
    )
    assert (told.returncode, word in told.stderr) == (2, True), told.stderr


def _data(tmp_path: Path) -> Path:
    folder = tmp_path / "place" / "data"
    (folder / "secrets").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "secrets" / "mine").write_text("mine")
    return folder
