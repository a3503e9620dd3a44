"""What an analysis asks of the models, as the task has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from appliance.ai.engine import Embed

if TYPE_CHECKING:
    from appliance.ai.drafts import Drafted
    from appliance.ai.reading import Reading


class Drafter(Protocol):
    """A model that is large enough to write."""

    made_by: str

    def of_answer(self, text: str, labels: Sequence[str]) -> Drafted: ...

    def of_form(self, quotes: Sequence[str]) -> Drafted: ...


class Reader(Protocol):
    """What reads texts: the models, as the task has them."""

    made_by: str
    model: str
    model_sha256: str
    parameters: dict[str, Any]
    embed: Embed
    drafter: Drafter | None

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Raises ModelFault."""
        ...

    def usage(self) -> dict[str, float]:
        """Since it was last asked: tokens, seconds of loading."""
        ...


def made(reader: Reader) -> dict[str, Any]:
    return {
        "made_by": reader.made_by,
        "model": reader.model,
        "model_sha256": reader.model_sha256,
        "parameters": reader.parameters,
    }
