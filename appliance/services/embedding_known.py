"""Vectors of responses for those who compare them with each other: from the file, as far as it has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from appliance.ai.engine import Embed, Vectors
from appliance.ai.vectors import Index
from appliance.services.free_text import Text


def vectors_of(index: Index, embed: Embed, texts: Sequence[Text], revisions: Sequence[int]) -> Vectors:
    """A row a text, in their order; what the file has not, or of another revision, is embedded.

    `revisions` are those of the responses whose texts they are. What is embedded here is not put into the
    file: `services.embedding` does that in its time. Raises ModelFault.
    """
    made = np.zeros((len(texts), index.dimensions), dtype=np.float32)
    missing = []
    for place, (text, revision) in enumerate(zip(texts, revisions, strict=True)):
        if index.revision(text.response_id) == revision:
            made[place] = index.vectors([text.response_id])[0]
        else:
            missing.append(place)
    if missing:
        made[missing] = embed([texts[place].text for place in missing])
    return made
