"""What the rest asks of the models on this machine. `appliance.ai.llama` does it, in worker-ai alone.

Functions that need a model take one of these methods as a callable, so that they know nothing of llama.cpp.
Neither llama.cpp nor NumPy is imported here, so this module costs whoever names its types nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vectors: TypeAlias = "NDArray[np.float32]"
"""(n, dimensions): one row a text, each of length 1, so that a dot product is the cosine."""
Scores: TypeAlias = "NDArray[np.float64]"
"""Natural logarithms of probabilities."""
Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    role: Role
    content: str


class Usage(NamedTuple):
    """In tokens. Those of the prompt that were in the cache from before are among `prompt`."""

    prompt: int = 0
    cached: int = 0
    generated: int = 0


class Piece(NamedTuple):
    """A part of what is generated; the last one has a reason, and the usage of the whole."""

    text: str
    reason: Literal["stop", "length"] | None
    usage: Usage


class Embed(Protocol):
    def __call__(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text; of a text that is too long (256 tokens), of its beginning."""
        ...


class ScoreMany(Protocol):
    def __call__(self, prefix: str, rests: Sequence[str], labels: Sequence[str]) -> Scores:
        """How probable each label is as what follows `prefix + rest`: log P(label), a row a rest.

        Not normalised over the labels: they sum to less than 1, and how much less tells how much the
        model would rather say something else. The prefix is kept in the cache between calls: put into it
        what many calls have in common, and into `rests` what differs. They are cut into tokens apart, so
        the prefix should end where a word does (`…\\nText:`), and rests and labels begin as words do, with
        a space. Many at once take a fraction of what they take one by one.
        """
        ...


class Generate(Protocol):
    def __call__(
        self,
        messages: Sequence[Message],
        *,
        most: int = 256,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        stop: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
    ) -> Iterator[Piece]:
        """What the model answers, as it comes: at most `most` tokens, up to the first of `stop`.

        `schema`: the answer is held to that JSON Schema by a grammar; parse it with `json.loads(…,
        strict=False)`, since the grammar lets line feeds into strings, and expect it to be cut off when
        the reason is "length".
        """
        ...


class Engine(Protocol):
    """What texts are read with. Methods raise ModelFault when a model cannot be loaded or is asked for more
    than it holds.
    """

    @property
    def embed(self) -> Embed: ...

    @property
    def score_many(self) -> ScoreMany: ...


class ModelFault(Exception):
    """A model cannot be used. Its words say what is wrong and what to do next."""


class Refused(ModelFault):
    """The model is well, but what was asked of it cannot be done: it is too long, say."""
