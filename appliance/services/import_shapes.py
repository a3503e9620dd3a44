"""The JSON shapes of imports; and how this process and the child that reads a file talk."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from appliance.services.shapes import Form

Source = Literal["xlsform", "jsonschema"]


class FormWarning(Struct):
    """What could not be carried over. `path` is a JSON Pointer into the source: `/survey/7/relevant` is that
    column of row 7 of the sheet, `/properties/age/not` a keyword of the schema.
    """

    path: str
    message: str


class ImportedForm(Form, kw_only=True):
    """A new draft, and what of its source is not in it."""

    warnings: list[FormWarning]


class ImportDraft(Struct):
    """What an import would make; nothing is stored."""

    title: str
    definition: dict[str, Any]
    warnings: list[FormWarning]


class Question(Struct):
    source: Source
    body: bytes


class Answer(Struct):
    """Either what was made, or `refused` with `errors`."""

    title: str = ""
    definition: dict[str, Any] = {}
    warnings: list[FormWarning] = []
    refused: str = ""
    errors: list[FormWarning] = []
