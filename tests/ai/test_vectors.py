"""The file of embeddings: exact answers, filters, and what crashes, damage and deletion leave."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from appliance.ai.engine import Vectors
from appliance.ai.vector_file import DIMENSIONS, Entry, layout
from appliance.ai.vector_writer import Damaged, Writer
from appliance.ai.vectors import Index

SIZE = layout(DIMENSIONS).itemsize
BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def directions(count: int, seed: int = 1) -> Vectors:
    made = np.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=np.float32)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), dtype=np.float32)


def entry(number: int, vector: Vectors, form: str = "form-1", revision: int = 1) -> Entry:
    return Entry(f"response-{number}", form, BEGIN + dt.timedelta(days=number), revision, vector)


def names(hits: Sequence[tuple[str, str, float]]) -> list[str]:
    return [hit[0] for hit in hits]


def test_search_is_exact(tmp_path: Path) -> None:
    vectors, queries = directions(3000), directions(20, seed=2)
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(vectors)])
        for query in queries:
            nearest = np.argsort(-(vectors @ query), kind="stable")[:10]
            hits = writer.index.search(query)
            assert names(hits) == [f"response-{number}" for number in nearest]
            assert [hit.score for hit in hits] == pytest.approx(vectors[nearest] @ query, abs=1e-6)


def test_equal_ones_come_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    same = directions(1)[0]
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(number, same) for number in range(30)])
        assert names(writer.index.search(same, 5)) == [f"response-{number}" for number in range(5)]


def test_filters(tmp_path: Path) -> None:
    vectors = directions(100)
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(at, vector, f"form-{at % 2}") for at, vector in enumerate(vectors)])
        search = writer.index.search
        query = vectors[7]
        assert names(search(query, 1)) == ["response-7"]
        assert {hit.form_id for hit in search(query, 100, form_id="form-0")} == {"form-0"}
        assert len(search(query, 100, form_id="form-0")) == 50
        assert search(query, form_id="form-2") == []
        day = BEGIN + dt.timedelta(days=10)
        assert sorted(names(search(query, 100, since=day, until=day + dt.timedelta(days=2)))) == [
            "response-10", "response-11",
        ]  # fmt: skip
        assert names(search(query, 100, among=["response-3", "nobody"])) == ["response-3"]
        assert search(query, 0) == []


def test_a_later_state_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    one, other = directions(2)
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(1, one), entry(1, other, revision=2)])
        assert (len(writer.index), writer.index.revision("response-1")) == (1, 2)
        writer.put([entry(1, one, revision=3)])
        assert [hit.score for hit in writer.index.search(one)] == pytest.approx([1.0])
        assert other.tobytes() not in (tmp_path / "v").read_bytes()
    assert Index(tmp_path / "v").revision("response-1") == 3


def test_what_is_deleted_is_gone_from_the_file_and_from_those_who_read_it(tmp_path: Path) -> None:
    vectors = directions(10)
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(vectors)])
        reader = Index(tmp_path / "v")
        assert writer.delete(["response-4", "response-4", "nobody"]) == 1
        assert "response-4" not in names(reader.search(vectors[4], 10))
        assert vectors[4].tobytes() not in (tmp_path / "v").read_bytes()
        assert writer.wasted == pytest.approx(0.1)
        writer.compact()
        assert (writer.wasted, (tmp_path / "v").stat().st_size) == (0, 9 * SIZE)
        writer.put([entry(20, vectors[4])])
        assert names(reader.search(vectors[4], 1)) == ["response-20"]
        assert len(reader) == 10


def test_a_reader_needs_no_file_and_sees_it_come_and_go(tmp_path: Path) -> None:
    reader = Index(tmp_path / "v")
    vector = directions(1)[0]
    assert reader.search(vector) == []
    with Writer(tmp_path / "v") as writer:
        writer.put([entry(1, vector)])
    assert len(reader.search(vector)) == 1
    (tmp_path / "v").unlink()
    assert reader.search(vector) == []


@pytest.mark.parametrize("left", [1, 91, 128, SIZE - 1])
def test_a_record_torn_off_is_cut_off(tmp_path: Path, left: int) -> None:
    file, vectors = tmp_path / "v", directions(3)
    with Writer(file) as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(vectors)])
    os.truncate(file, 2 * SIZE + left)
    assert len(Index(file)) == 2
    with Writer(file) as writer:
        assert file.stat().st_size == 2 * SIZE
        writer.put([entry(2, vectors[2])])
    assert len(Index(file)) == 3


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("offset", [0, 45, 85, 90, 92, 100, 128, SIZE - 1])
def test_a_damaged_record_is_left_out_and_no_other(tmp_path: Path, place: int, offset: int) -> None:
    file, vectors = tmp_path / "v", directions(3)
    with Writer(file) as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(vectors)])
    raw = bytearray(file.read_bytes())
    raw[place * SIZE + offset] ^= 0x10
    file.write_bytes(raw)
    others = {"response-0", "response-1", "response-2"} - {f"response-{place}"}
    assert set(names(Index(file).search(vectors[0]))) == others
    with Writer(file) as writer:
        writer.put([entry(place, vectors[place])])
        assert len(writer.index) == 3


def test_an_earlier_state_that_a_crash_left_does_not_come_back(tmp_path: Path) -> None:
    file, (old, new) = tmp_path / "v", directions(2)
    with Writer(file) as writer:
        writer.put([entry(1, old)])
        first = file.read_bytes()
        writer.put([entry(1, new, revision=2)])
    file.write_bytes(first + file.read_bytes()[SIZE:])  # killed after the append, before the wiping
    assert Index(file).revision("response-1") == 2
    with Writer(file) as writer:
        assert writer.delete(["response-1"]) == 1
    assert len(Index(file)) == 0
    assert file.read_bytes() == bytes(2 * SIZE)


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    with Writer(tmp_path / "v"):
        with pytest.raises(BlockingIOError):
            Writer(tmp_path / "v")
    Writer(tmp_path / "v").close()


@pytest.mark.parametrize("vector", [np.zeros(3, np.float32), np.full(DIMENSIONS, np.nan, np.float32)])
def test_what_is_no_embedding_is_refused(tmp_path: Path, vector: Vectors) -> None:
    with Writer(tmp_path / "v") as writer:
        with pytest.raises(ValueError, match="384 finite numbers"):
            writer.put([entry(1, directions(1)[0]), entry(2, vector)])
        with pytest.raises(ValueError, match="1 to 40 bytes"):
            writer.put([entry(1, directions(1)[0])._replace(response_id="x" * 41)])
        assert len(writer.index) == 0


_WRITES = """
import sys
from pathlib import Path
from appliance.ai.vector_writer import Writer
from tests.ai.test_vectors import directions, entry
vectors = directions(50)
with Writer(Path(sys.argv[1])) as writer:
    for turn in range(1, 10_000):
        writer.put([entry(number, vector, revision=turn) for number, vector in enumerate(vectors)])
        writer.delete([f"response-{turn % 50}"])
        if turn % 20 == 0:
            writer.compact()
        print(turn, flush=True)
"""


def test_what_a_killed_writer_said_it_kept_is_there(tmp_path: Path) -> None:
    file, vectors = tmp_path / "v", directions(50)
    for lines in (1, 20, 33):
        with subprocess.Popen([sys.executable, "-c", _WRITES, str(file)], stdout=subprocess.PIPE) as started:
            assert started.stdout is not None
            said = [int(started.stdout.readline()) for _ in range(lines)]
            started.kill()
            said += [int(line) for line in started.stdout.read().split()]
        with Writer(file) as writer:
            held = [writer.index.revision(f"response-{number}") for number in range(50)]
            assert [revision for revision in held if revision is not None and revision < said[-1]] == []
            assert held.count(None) <= 2
            for hit in writer.index.search(vectors[0], 50):
                cosine = float(vectors[int(hit.response_id.removeprefix("response-"))] @ vectors[0])
                assert hit.score == pytest.approx(cosine, abs=1e-6)
            writer.delete([f"response-{number}" for number in range(50)])
            assert len(writer.index) == 0


def test_a_model_may_make_longer_vectors(tmp_path: Path) -> None:
    vector = np.zeros(768, dtype=np.float32)
    vector[700] = 1
    with Writer(tmp_path / "v", 768) as writer:
        writer.put([entry(1, vector)])
        assert writer.index.search(vector)[0].score == 1
        with pytest.raises(ValueError, match="768 finite numbers"):
            writer.put([entry(2, directions(1)[0])])
    assert (tmp_path / "v").stat().st_size == 128 + 4 * 768


def test_a_file_that_was_taken_away_is_noticed(tmp_path: Path) -> None:
    with Writer(tmp_path / "v") as writer:
        states = [writer.is_lost]
        (tmp_path / "v").unlink()
        states.append(writer.is_lost)
        (tmp_path / "v").write_bytes(b"")
        states.append(writer.is_lost)
    assert states == [False, True, True]


def spoil(file: Path, place: int) -> None:
    with file.open("r+b") as opened:
        opened.seek(place * SIZE + 200)
        opened.write(b"\xff\x01\xff")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_what_was_kept_and_is_damaged_is_refused(tmp_path: Path, place: int) -> None:
    file = tmp_path / "v"
    with Writer(file) as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(directions(3))])
        kept = writer.bytes
    spoil(file, place)
    before = file.read_bytes()
    assert Index(file).sound == place * SIZE
    with pytest.raises(Damaged):
        Writer(file, least=kept)
    assert file.read_bytes() == before, "killed here, it is refused again"
    with Writer(file, anew=True) as writer:
        assert (len(writer.index), writer.bytes) == (0, 0)


def test_what_was_torn_before_it_was_kept_is_wiped_for_good(tmp_path: Path) -> None:
    file, reader = tmp_path / "v", Index(tmp_path / "v")
    with Writer(file) as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(directions(3))])
    spoil(file, 1)
    reader.refresh()
    assert reader.sound == SIZE
    with Writer(file, least=SIZE) as writer:
        assert (len(writer.index), writer.bytes, writer.index.sound) == (2, 3 * SIZE, 3 * SIZE)
    reader.refresh()
    assert reader.sound == 3 * SIZE


def test_nothing_is_put_behind_a_hole(tmp_path: Path) -> None:
    file, vectors = tmp_path / "v", directions(3)
    with Writer(file) as writer:
        writer.put([entry(number, vector) for number, vector in enumerate(vectors)])
        os.truncate(file, SIZE)
        with pytest.raises(Damaged):
            writer.put([entry(3, vectors[0])])
    assert file.stat().st_size == SIZE


def test_a_folder_in_its_place_is_put_aside(tmp_path: Path) -> None:
    file = tmp_path / "v"
    file.mkdir()
    (file / "mine").write_text("kept")
    assert len(Index(file)) == 0
    with Writer(file, anew=True) as writer:
        writer.put([entry(1, directions(1)[0])])
    assert file.is_file()
    assert [aside.read_text() for aside in tmp_path.glob("v.aside-*/mine")] == ["kept"]
