"""Forms as submissions are judged by them, kept in the process.

A state may be old: other processes change forms too. That is safe because a state carries the form's
`gate` (its `rev`), and a submission judged by an old one is not written (see `stores.response_writer`);
and because a refusal is never based on an old state: `services.submissions` judges again by a fresh one.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass

from appliance.domain.form import Form, compile_definition
from appliance.stores import forms
from appliance.stores.mongo import Database, Document

_KEPT = 500
_FRESH = 30.0
"""Seconds that a state is used without asking again."""
_LARGE = 20_000
"""Characters of a definition from which on it is compiled in a thread."""


@dataclass(frozen=True, slots=True)
class FormState:
    """A stored form (without its draft) and its published version, compiled; None before the first."""

    row: Document
    published: Form | None
    read_at: float


class FormStates:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._states: OrderedDict[str, FormState] = OrderedDict()
        self._compiled: OrderedDict[tuple[str, int], Form] = OrderedDict()

    def find(self, form_id: str) -> FormState | None:
        """The state at hand, if it is young enough."""
        state = self._states.get(form_id)
        return state if state is not None and state.read_at + _FRESH > time.monotonic() else None

    async def read(self, form_id: str) -> FormState:
        """The state as it is now. Raises NotFound."""
        now = time.monotonic()
        row = await forms.get(self._db, form_id, hide=forms.DEFINITION)
        published = await self.compiled(form_id, row["version"]) if row["version"] else None
        state = self._states[form_id] = FormState(row, published, now)
        _trim(self._states)
        return state

    async def compiled(self, form_id: str, version: int) -> Form:
        """A published version never changes, so it is compiled once. Raises NotFound."""
        form = self._compiled.get((form_id, version))
        if form is None:
            row = await forms.get_version(self._db, form_id, version)
            form = self._compiled[form_id, version] = await compile_form(row["definition"])
            _trim(self._compiled)
        return form


async def compile_form(definition: Document) -> Form:
    """Raises Invalid, with the place of each fault."""
    if len(str(definition)) < _LARGE:
        return compile_definition(definition)
    return await asyncio.to_thread(compile_definition, definition)


def _trim(cache: OrderedDict[str, FormState] | OrderedDict[tuple[str, int], Form]) -> None:
    while len(cache) > _KEPT:
        cache.popitem(last=False)
