"""A file like that of a 7B model of 4 bits: random weights, a small one's tokens.

`python -m tests.bench.big_model SMALL.gguf OUT.gguf`: 3.9 GB, a minute. The shape is that of Llama 2 7B with
the small model's vocabulary: keys and values are as wide as the layer (heads share none), which is the worst
case for the cache. What it answers is noise; what it costs is what a real one costs.

Source: the GGUF specification of ggml (docs/gguf.md); Q4_0 is an f16 scale and 32 numbers of 4 bits.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from appliance.ai import gguf

LAYERS, WIDTH, FEED, HEADS, CONTEXT = 32, 4096, 11008, 32, 4096
_F32, _Q4_0 = 0, 2
_BLOCK, _BLOCK_BYTES = 32, 18
_ALIGNMENT = 32
_POOL = 2**21
"""Blocks that are drawn; tensors begin at random places among them, so that no two are the same."""


class Tensor(NamedTuple):
    name: str
    shape: tuple[int, ...]
    """The fastest dimension first."""
    kind: int

    @property
    def bytes(self) -> int:
        count = int(np.prod(self.shape))
        return 4 * count if self.kind == _F32 else count // _BLOCK * _BLOCK_BYTES


def tensors(vocabulary: int) -> Iterator[Tensor]:
    yield Tensor("token_embd.weight", (WIDTH, vocabulary), _Q4_0)
    for layer in range(LAYERS):
        name = f"blk.{layer}"
        yield Tensor(f"{name}.attn_norm.weight", (WIDTH,), _F32)
        yield Tensor(f"{name}.ffn_norm.weight", (WIDTH,), _F32)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield Tensor(f"{name}.{part}.weight", (WIDTH, WIDTH), _Q4_0)
        yield Tensor(f"{name}.ffn_gate.weight", (WIDTH, FEED), _Q4_0)
        yield Tensor(f"{name}.ffn_up.weight", (WIDTH, FEED), _Q4_0)
        yield Tensor(f"{name}.ffn_down.weight", (FEED, WIDTH), _Q4_0)
    yield Tensor("output_norm.weight", (WIDTH,), _F32)
    yield Tensor("output.weight", (WIDTH, vocabulary), _Q4_0)


def make(small: Path, target: Path) -> None:
    """Raises ModelFault when the small one is none."""
    header = gguf.read(small)
    values = [*_shape(), *_kept(small)]
    rows = list(tensors(header.vocabulary))
    with target.open("wb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(rows), len(values)) + b"".join(values))
        offset = 0
        for row in rows:
            out.write(_described(row, offset))
            offset += -(-row.bytes // _ALIGNMENT) * _ALIGNMENT
        _pad(out)
        pool, chance = _pool(), np.random.default_rng(7)
        for row in rows:
            _write(out, row, pool, chance)


def _shape() -> Iterator[bytes]:
    yield _text("general.architecture") + struct.pack("<I", 8) + _text("llama")
    yield _text("general.name") + struct.pack("<I", 8) + _text("7B of random weights")
    numbers = {
        "block_count": LAYERS, "context_length": CONTEXT, "embedding_length": WIDTH,
        "feed_forward_length": FEED, "attention.head_count": HEADS, "attention.head_count_kv": HEADS,
        "rope.dimension_count": WIDTH // HEADS,
    }  # fmt: skip
    for name, number in numbers.items():
        yield _text(f"llama.{name}") + struct.pack("<II", 4, number)
    yield _text("llama.attention.layer_norm_rms_epsilon") + struct.pack("<If", 6, 1e-5)


def _kept(small: Path) -> Iterator[bytes]:
    """The small one's tokens and template, byte for byte."""
    with small.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(16)
        (pairs,) = struct.unpack("<Q", file.read(8))
        reader = gguf.Reader(small, file, size)
        for _ in range(pairs):
            start = file.tell()
            name = reader.text()
            reader.value(reader.scalar("I"))
            end = file.tell()
            if name.startswith("tokenizer."):
                file.seek(start)
                yield file.read(end - start)


def _described(row: Tensor, offset: int) -> bytes:
    sizes = struct.pack(f"<I{len(row.shape)}Q", len(row.shape), *row.shape)
    return _text(row.name) + sizes + struct.pack("<IQ", row.kind, offset)


def _write(out: BinaryIO, row: Tensor, pool: NDArray[np.uint8], chance: np.random.Generator) -> None:
    if row.kind == _F32:
        out.write(np.ones(row.shape, dtype="<f4").tobytes())
    else:
        left = row.bytes // _BLOCK_BYTES
        while left:
            at = int(chance.integers(0, _POOL // 2))
            part = pool[at : at + left]
            out.write(part.tobytes())
            left -= len(part)
    _pad(out)


def _pool() -> NDArray[np.uint8]:
    chance = np.random.default_rng(1)
    blocks = chance.integers(0, 256, (_POOL, _BLOCK_BYTES), dtype=np.uint8)
    scales = chance.uniform(0.001, 0.004, _POOL).astype("<f2")
    blocks[:, :2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks


def _pad(out: BinaryIO) -> None:
    out.write(bytes(-out.tell() % _ALIGNMENT))


def _text(what: str) -> bytes:
    return struct.pack("<Q", len(what)) + what.encode()


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
