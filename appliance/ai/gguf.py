"""What a GGUF file says of the model in it, read without llama.cpp and without its weights.

llama.cpp itself ends the process on some broken files, and finds others broken only after it has read
gigabytes. So a file is judged here first: is it one, is it whole, will it fit.

Source: the GGUF specification of ggml (docs/gguf.md), versions 2 and 3, little-endian.
"""

from __future__ import annotations

import functools
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from appliance.ai.engine import ModelFault

_MAGIC = b"GGUF"
_NEXT = "next: take the file from where it came once more, or name another with AI_MODEL"
_LONGEST = 64 * 2**20
"""Bytes of a text or items of a list at most: more is no metadata but a broken length."""
_ARRAY, _STRING = 9, 8
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

# Of each type of numbers: how many make a block, and the block's bytes (ggml.c, type_traits).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


class Tensor(NamedTuple):
    """Where a matrix ends, from where the weights begin, and how long it is; of an unknown type, 0."""

    end: int
    bytes: int
    numbers: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """Of a file that is whole."""

    path: Path
    bytes: int
    metadata: dict[str, Any]
    """Lists of more than 1,024 items, such as the vocabulary, are given as their length."""
    tensors: dict[str, Tensor]

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(tensor.numbers for tensor in self.tensors.values())

    @property
    def architecture(self) -> str:
        return str(self.metadata.get("general.architecture", "unknown"))

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name") or self.path.stem)

    @property
    def is_embedder(self) -> bool:
        """Made for vectors: it cannot generate."""
        return "bert" in self.architecture or self.of("pooling_type") is not None

    def of(self, key: str) -> Any:
        """A value of the architecture's own; None when there is none."""
        return self.metadata.get(f"{self.architecture}.{key}")

    def number(self, key: str, default: int = 0) -> int:
        """The same as a number; of a list (one a layer) the greatest."""
        found = self.of(key)
        return int(max(found) if isinstance(found, list) else found if found is not None else default)

    @property
    def vocabulary(self) -> int:
        return int(self.metadata.get("tokenizer.ggml.tokens") or self.of("vocab_size") or 0)


def read(path: Path) -> Header:
    """Raises ModelFault for what is missing, not GGUF, or cut off; it names the file."""
    try:
        found = path.stat()
        return _read_once(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except IsADirectoryError:
        raise ModelFault(f"{path} is a folder; next: name the GGUF file in it") from None
    except OSError as fault:
        raise ModelFault(f"{path}: {fault.strerror}; next: name a file that is there") from None


@functools.lru_cache(maxsize=4)
def _read_once(path: Path, inode: int, size: int, changed: int) -> Header:
    """A vocabulary is tens of thousands of words, and several ask of the same file at once."""
    with path.open("rb") as file:
        return _read(path, file, size)


def _read(path: Path, file: BinaryIO, size: int) -> Header:
    magic = file.read(4)
    if magic != _MAGIC:
        shown = magic.decode("latin-1").encode("unicode_escape").decode()
        raise ModelFault(f"{path} is no GGUF file: it begins with '{shown}', not with 'GGUF'; {_NEXT}")
    reader = Reader(path, file, size)
    version = reader.scalar("I")
    if version not in (2, 3):
        raise ModelFault(f"{path} has GGUF version {version}; 2 and 3 can be read; {_NEXT}")
    count, pairs = reader.scalar("Q"), reader.scalar("Q")
    if count > 1_000_000 or pairs > 1_000_000:
        raise ModelFault(f"{path} is broken: it claims {count} tensors and {pairs} values; {_NEXT}")
    metadata = {reader.text(): reader.value(reader.scalar("I")) for _ in range(pairs)}
    tensors = dict(_tensor(reader) for _ in range(count))
    end = max((tensor.end for tensor in tensors.values()), default=0)
    alignment = int(metadata.get("general.alignment", 32)) or 32
    needed = math.ceil(file.tell() / alignment) * alignment + end
    if size < needed:
        raise ModelFault(f"{path} is cut off: {size} bytes of {needed}; {_NEXT}")
    return Header(path, size, metadata, tensors)


def _tensor(reader: Reader) -> tuple[str, Tensor]:
    name = reader.text()
    count = math.prod(reader.scalar("Q") for _ in range(reader.scalar("I")))
    kind, offset = reader.scalar("I"), reader.scalar("Q")
    numbers, size = _BLOCKS.get(kind, (1, 0))
    length = count // numbers * size
    return name, Tensor(int(offset + length), int(length), count)


class Reader:
    """Of one file, value by value. Raises ModelFault where it ends too soon or makes no sense."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self._path, self._file, self._size = path, file, size

    def scalar(self, code: str) -> Any:
        (found,) = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))
        return found

    def text(self) -> str:
        return self._take(self._length()).decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array(self.scalar("I"), self._length())
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        raise ModelFault(f"{self._path} is broken: there is no kind {kind} of values; {_NEXT}")

    def _array(self, kind: int, length: int) -> Any:
        if kind in _SCALARS and length > 1024:
            self._take(length * struct.calcsize(f"<{_SCALARS[kind]}"))
            return length
        found = [self.value(kind) for _ in range(length)]
        return found if length <= 1024 else length

    def _length(self) -> int:
        length = int(self.scalar("Q"))
        if length > _LONGEST:
            raise ModelFault(f"{self._path} is broken: it claims a value of {length} bytes; {_NEXT}")
        return length

    def _take(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) != count:
            raise ModelFault(f"{self._path} is cut off: {self._size} bytes, and its head is longer; {_NEXT}")
        return found
