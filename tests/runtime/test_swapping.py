"""What is in a data folder changes places: whatever line it is killed on, the next one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance import disk
from appliance.runtime import swapping

OLD = {"mongo/data/a": "old", "secrets/key": "old", "loose": "old", "only-old/x": "old"}
NEW = {"mongo/data/b": "new", "secrets/key": "new", "settings.env": "new", "lake/y": "new"}


class Killed(BaseException):
    pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for place, files in ((folder, OLD), (folder / swapping.DRAFT, NEW)):
        for name, text in {**files, "run/lock": text_of(files)}.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
    (folder / "lost+found").mkdir()
    return folder


def text_of(files: dict[str, str]) -> str:
    return next(iter(files.values()))


def files(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def check(data: Path) -> None:
    before = next(each for each in data.iterdir() if each.name.startswith("before-"))
    assert files(before) == OLD
    now = {name: text for name, text in files(data).items() if not name.startswith("before-")}
    assert now == {**NEW, "run/lock": "old"}
    assert (data / "lost+found").is_dir()
    assert not (data / swapping.DRAFT).exists() and not swapping.is_begun(data)


def test_nothing_changes_before_it_is_begun(data: Path) -> None:
    before = files(data)
    assert swapping.finish(data) is None
    assert files(data) == before


def test_it_changes_places(data: Path) -> None:
    swapping.begin(data, "now")
    assert swapping.finish(data) == data / "before-now"
    check(data)
    assert swapping.finish(data) is None


@pytest.mark.parametrize("step", range(1, 20))
def test_killed_at_any_step_the_next_goes_on(data: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step is a rename or a write of the mark; before each, and after the last, it is killed once."""
    swapping.begin(data, "now")
    count = 0

    def counted(work: object, *arguments: object, **more: object) -> object:
        nonlocal count
        count += 1
        if count == step:
            raise Killed
        return work(*arguments, **more)  # type: ignore[operator]

    rename, write, unlink = Path.rename, disk.write_durably, Path.unlink
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *arguments: counted(rename, *arguments))
        patch.setattr(Path, "unlink", lambda *arguments, **more: counted(unlink, *arguments, **more))
        patch.setattr(disk, "write_durably", lambda *arguments: counted(write, *arguments))
        try:
            swapping.finish(data)
        except Killed:
            assert swapping.is_begun(data)
            for name in ("mongo", "secrets", "lake"):  # a start that is refused makes the folders first
                (data / name).mkdir(exist_ok=True)
    swapping.finish(data)
    check(data)
    assert step < 19 or count < step, "every step was one to be killed at"
