"""What a form asks: its `definition`, or the JSON Schema given instead of it.

A schema is stored as its text: to the database `{"$ref": …, "$id": …}` means something else.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from appliance.domain.advice import advice as advise
from appliance.domain.rules import Rules, SurveyRules, survey_rules
from appliance.errors import BadRequest, FieldError, pointer
from appliance.services.schemas import Schemas
from appliance.stores.mongo import Document

Given = dict[str, Any] | UnsetType
_LARGE = 20_000
"""Characters of a definition from which on it is compiled in a thread."""


def content(definition: Given, schema: Given) -> Document:
    """The fields to store of exactly one of the two. Raises BadRequest."""
    if definition is UNSET and schema is UNSET:
        fault = FieldError(pointer("definition"), "missing required field `definition`, or `schema` instead")
        raise BadRequest("A form needs its questions.", errors=[fault])
    if definition is not UNSET and schema is not UNSET:
        fault = FieldError(pointer("schema"), "give either `definition` or `schema`")
        raise BadRequest("A form is given in one way.", errors=[fault])
    if definition is not UNSET:
        return {"definition": definition, "schema": None}
    return {"definition": None, "schema": msgspec.json.encode(schema).decode()}


def content_of(row: Document) -> Document:
    """The same fields of a stored form or version."""
    return {name: row.get(name) for name in ("definition", "schema")}


def definition_of(row: Document) -> dict[str, Any] | UnsetType:
    """For a shape."""
    found: dict[str, Any] | None = row.get("definition")
    return UNSET if found is None else found


def schema_of(row: Document) -> dict[str, Any] | UnsetType:
    found = row.get("schema")
    return UNSET if found is None else msgspec.json.decode(found, type=dict[str, Any])


async def check(schemas: Schemas, row: Document) -> None:
    """Raises Invalid with the place of each fault, Unavailable when too many schemas are being checked."""
    schema = schema_of(row)
    if schema is UNSET:
        await _survey(row["definition"])
    else:
        await schemas.probe(schema)


async def advice(schemas: Schemas, row: Document) -> list[str]:
    """What is odd about it though it is valid, each with its place. Raises as `check` does."""
    if schema_of(row) is not UNSET:
        await check(schemas, row)
        return []
    rules = await _survey(row["definition"])
    remarks = await asyncio.to_thread(advise, rules.form)
    return [f"{remark.path}: {remark.message}" for remark in remarks]


async def rules_of(schemas: Schemas, row: Document) -> Rules:
    """Of content that was checked before it was stored. Raises Invalid."""
    schema = schema_of(row)
    return await _survey(row["definition"]) if schema is UNSET else await schemas.rules(schema)


async def _survey(definition: Document) -> SurveyRules:
    if len(str(definition)) < _LARGE:
        return survey_rules(definition)
    return await asyncio.to_thread(survey_rules, definition)
