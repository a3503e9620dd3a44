"""What a file says of the model in it, and what broken files are said to be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.ai import gguf, memory
from appliance.ai.engine import ModelFault
from appliance.ai.gguf import Header, Tensor
from tests import models
from tests.bench import big_model

GIB = 2**30


@pytest.fixture(scope="module")
def chat() -> Path:
    models.until_built()
    return models.chat_model()


def test_a_model_tells_of_itself(chat: Path) -> None:
    header = gguf.read(chat)
    assert header.architecture == "llama"
    assert header.vocabulary == 49152
    assert header.number("context_length") == 8192
    assert not header.is_embedder
    assert "<|im_start|>" in header.metadata["tokenizer.chat_template"]
    vectors = gguf.read(models.embedding_model())
    assert vectors.is_embedder
    assert vectors.number("embedding_length") == 384


@pytest.mark.parametrize("kept", [0, 3, 4, 20, 5_000, 1_000_000, 50_000_000, -1])
def test_one_that_is_cut_off(chat: Path, tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(chat.read_bytes()[:kept])
    with pytest.raises(ModelFault, match=re.escape(str(cut)) + r".* (is cut off|is no GGUF).*; next: "):
        gguf.read(cut)


def test_what_is_none(tmp_path: Path) -> None:
    other = tmp_path / "model.safetensors"
    other.write_bytes(b"\x40\x00\x00\x00{}" * 1000)
    with pytest.raises(ModelFault, match=r"is no GGUF file: it begins with '@"):
        gguf.read(other)
    with pytest.raises(ModelFault, match="is a folder"):
        gguf.read(tmp_path)
    with pytest.raises(ModelFault, match="No such file"):
        gguf.read(tmp_path / "nothing")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(at=st.integers(4, 400), bits=st.binary(min_size=1, max_size=12))
def test_a_broken_head_is_a_fault_and_nothing_worse(chat: Path, tmp_path: Path, at: int, bits: bytes) -> None:
    with chat.open("rb") as file:
        head = bytearray(file.read(2_000_000))
    head[at : at + len(bits)] = bits
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(head)
    with pytest.raises(ModelFault):
        gguf.read(broken)


def test_the_context_is_as_long_as_the_memory_allows(chat: Path) -> None:
    header = gguf.read(chat)
    assert memory.fit(header, 4 * GIB, 4096).context == 4096
    assert memory.fit(header, 4 * GIB, 100_000).context == 8192, "what it was made for"
    least = memory.fit(header, 768 * 2**20, 8192)
    assert 4096 <= least.context <= 8192
    assert not least.is_tight
    assert least.need.total <= 768 * 2**20
    with pytest.raises(ModelFault, match=r"needs \d+ MiB with the shortest context .*; next: take a smaller"):
        memory.fit(header, 200 * 2**20, 4096)


def seven_billion() -> Header:
    """The head of a file such as tests/bench/big_model.py makes."""
    rows = list(big_model.tensors(49152))
    shape = {
        "block_count": 32, "context_length": 4096, "embedding_length": 4096, "feed_forward_length": 11008,
        "attention.head_count": 32, "attention.head_count_kv": 32,
    }  # fmt: skip
    metadata = {"general.architecture": "llama", "tokenizer.ggml.tokens": 49152}
    metadata |= {f"llama.{name}": number for name, number in shape.items()}
    size = sum(row.bytes for row in rows)
    return Header(Path("7b.gguf"), size, metadata, {row.name: Tensor(0, row.bytes) for row in rows})


def test_a_model_of_7b_and_4_bits_fits_tightly_into_4_gib(chat: Path) -> None:
    vectors = gguf.read(models.embedding_model())
    found = memory.fit(seven_billion(), 4 * GIB, 4096, vectors)
    assert found.is_tight
    assert found.context >= memory.LEAST
    assert found.need.total + vectors.bytes < 4 * GIB
    roomy = memory.fit(seven_billion(), 8 * GIB, 4096, vectors)
    assert (roomy.is_tight, roomy.context) == (False, 4096)
    with pytest.raises(ModelFault, match=r"needs 3\.\d GiB .* worker-ai may have"):
        memory.fit(seven_billion(), 3 * GIB, 4096, vectors)


def test_a_larger_model_is_not_made_to_fit(chat: Path) -> None:
    """What is beside it counts: the least that fits alone does not with a model for vectors."""
    header, vectors = gguf.read(chat), gguf.read(models.embedding_model())
    least = memory.need(header, memory.LEAST, is_tight=True).total
    assert memory.fit(header, least, 4096).is_tight
    with pytest.raises(ModelFault):
        memory.fit(header, least, 4096, vectors)
