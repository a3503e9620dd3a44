"""Forms as submissions are judged by them, kept in the process.

A state is used while the form's generation is the one it was read under, so it is never older than the last
acknowledged change (see `stores.generations`). A submission that is judged while a change is under way is
safe too: a state carries the form's `gate` (its `rev`), and the write of a submission judged by an old one
is not done (see `stores.response_writer`).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from appliance.domain.rules import Rules
from appliance.errors import NotFound
from appliance.services import form_quotas
from appliance.services.form_content import rules_of
from appliance.services.schemas import Schemas
from appliance.stores import forms
from appliance.stores.generations import Generations
from appliance.stores.mongo import Database, Document
from appliance.stores.quotas import Quota

_KEPT = 500
_FRESH = 60.0
"""Seconds that a state is used at most, should a writer have died before it told of its change."""


@dataclass(frozen=True, slots=True)
class FormState:
    """A stored form (without its draft) and its published version, compiled; None before the first."""

    row: Document
    published: Rules | None
    read_at: float
    generation: int
    quotas: tuple[Quota, ...] = ()
    has_text: bool = False
    """Whether the published version asks for text."""


def form_key(form_id: str) -> str:
    """The name of a form among the generations."""
    return f"form:{form_id}"


def responses_key(form_id: str) -> str:
    """The name of a form's responses among the generations."""
    return f"responses:{form_id}"


class FormStates:
    def __init__(self, db: Database, generations: Generations, schemas: Schemas) -> None:
        self._db = db
        self._schemas = schemas
        self._generations = generations
        self._states: OrderedDict[str, FormState] = OrderedDict()
        self._compiled: OrderedDict[tuple[str, int], Rules] = OrderedDict()
        self._with_text: OrderedDict[tuple[str, int], bool] = OrderedDict()
        self._slugs: OrderedDict[str, str] = OrderedDict()

    def find(self, form_id: str) -> FormState | None:
        """The state at hand, if it is current."""
        state = self._states.get(form_id)
        if state is None or state.read_at + _FRESH < time.monotonic():
            return None
        return state if state.generation == self._generations.get(form_key(form_id)) else None

    async def get(self, form_id: str) -> FormState:
        """The state at hand, else as it is now. Raises NotFound."""
        return self.find(form_id) or await self.read(form_id)

    async def read(self, form_id: str) -> FormState:
        """The state as it is now. Raises NotFound."""
        now, generation = time.monotonic(), self._generations.get(form_key(form_id))
        row = await forms.get(self._db, form_id, hide=forms.DEFINITION)
        published = await self.compiled(form_id, row["version"]) if row["version"] else None
        quotas = form_quotas.of_form(published, row["settings"])
        has_text = published is not None and await self._asks_for_text(form_id, row["version"], published)
        state = self._states[form_id] = FormState(row, published, now, generation, quotas, has_text)
        _trim(self._states)
        return state

    async def by_slug(self, slug: str) -> FormState:
        """The state at hand of the form at this slug, else as it is now. Raises NotFound."""
        form_id = self._slugs.get(slug) or await forms.find_id(self._db, slug)
        if form_id is None:
            raise NotFound("There is no such form.")
        self._slugs[slug] = form_id
        _trim(self._slugs)
        return await self.get(form_id)

    async def compiled(self, form_id: str, version: int) -> Rules:
        """A published version never changes, so it is compiled once. Raises NotFound."""
        form = self._compiled.get((form_id, version))
        if form is None:
            row = await forms.get_version(self._db, form_id, version)
            form = self._compiled[form_id, version] = await rules_of(self._schemas, row)
            _trim(self._compiled)
        return form

    async def _asks_for_text(self, form_id: str, version: int, rules: Rules) -> bool:
        found = self._with_text.get((form_id, version))
        if found is None:
            columns = await asyncio.to_thread(rules.columns)
            found = any(column.kind == "text" for column in columns.main.columns)
            self._with_text[form_id, version] = found
            _trim(self._with_text)
        return found


def _trim(cache: OrderedDict[Any, Any]) -> None:
    while len(cache) > _KEPT:
        cache.popitem(last=False)
