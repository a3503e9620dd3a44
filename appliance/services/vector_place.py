"""Which file has the vectors that the present model makes. No NumPy is needed to know it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

from appliance.addresses import Paths
from appliance.ai import gguf
from appliance.ai.engine import ModelFault
from appliance.services import ai_models
from appliance.settings import Settings
from appliance.stores import embedded


class Place(NamedTuple):
    """The file, which may not be there yet."""

    path: Path
    model: Path

    @property
    def dimensions(self) -> int:
        """Raises ModelFault."""
        found = gguf.read(self.model).number("embedding_length")
        if not found:
            raise ModelFault(f"{self.model} does not say how long its vectors are; next: use another")
        return found

    def holds(self, noted: embedded.File | None) -> bool:
        """The file is the one that was noted, and has not lost its end. A look at the folder, no more."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        if noted is None or (noted.name, noted.inode) != (self.path.name, found.st_ino):
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size >= noted.bytes


def find(settings: Settings) -> Place | None:
    """None while there is no model for vectors.

    A file is named by its model's digest: another model has another one, the same under another name its own.
    """
    choice = ai_models.find(settings, "embedding")
    return _of(settings, choice.path) if choice else None


def _of(settings: Settings, model: Path) -> Place | None:
    try:
        name = f"{ai_models.digest(model)[:16]}.vectors"
    except OSError:
        return None
    return Place(Paths(settings.data).vectors / name, model)


def get(settings: Settings) -> Place:
    """Raises ModelFault when there is no model for vectors."""
    return _must(find(settings))


def of(settings: Settings, model: Path | None) -> Place:
    """Of the model that this process runs, whatever is chosen by now. Raises ModelFault for None."""
    return _must(_of(settings, model) if model else None)


def _must(place: Place | None) -> Place:
    if place is None:
        raise ModelFault("there is no model for vectors; next: appliance status says how to get one")
    return place
