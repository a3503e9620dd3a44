"""The OpenAPI document, mended where what Litestar derives says less than what the routes hold callers to.

Shapes are msgspec's own JSON Schemas (msgspec reads them), errors are one shape and one component a status,
guards are written down as security, and headers that handlers read by hand are parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar, MediaType, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute

from appliance import __version__
from appliance.api import examples
from appliance.api.answers import FILE, PROBLEM_JSON, TEXTS
from appliance.api.guards import SCOPE, admin_only, perhaps_signed_in, signed_in
from appliance.api.links import links_of
from appliance.api.problems import ProblemDocument
from appliance.services.export_making import MEDIA_TYPES

Json = dict[str, Any]
_REF = "#/components/schemas/{name}"
_PROBLEM = {"schema": {"$ref": _REF.format(name="ProblemDocument")}}
_BINARY = {"type": "string", "format": "binary"}
_ALWAYS = (429, 500, 503)
TAGS = {
    "auth": "Signing in and out, passwords",
    "users": "Accounts, for admins",
    "api-keys": "Keys for programs, which do what their scopes say",
    "audit": "Who changed what and when",
    "forms": "Forms, their versions, who else may use them",
    "responses": "Answers to forms",
    "files": "Files that answers name",
    "partials": "Half-filled responses, by a secret token",
    "exports": "Responses as files",
    "subjects": "What is kept of a person: found, read out, erased; for admins",
    "tasks": "Background work: its progress, cancelling it",
    "queues": "Where tasks wait",
    "dead-letters": "Tasks that failed for good",
    "webhooks": "Who is told of what happens, and what came of it",
    "analytics": "What the numbers say, over the lake of all responses",
    "alerts": "What is wrong, who knows of it, and what is kept quiet",
    "metrics": "What Prometheus has measured",
    "ai": "The language models of this machine, behind OpenAI's paths",
    "system": "The machine under it: programs, findings, logs, backups, secrets, certificates; for admins",
    "health": "Alive, and ready",
}


def config() -> OpenAPIConfig:
    bearer = SecurityScheme(
        type="http", scheme="bearer", description="A token of POST /auth/login, or an API key"
    )
    return OpenAPIConfig(
        title="Forms appliance",
        version=__version__,
        description="Forms, their responses and all that is done with them. Errors are RFC 9457 problems.",
        tags=[Tag(name=name, description=text) for name, text in TAGS.items()],
        components=Components(security_schemes={"bearer": bearer}),
        operation_id_creator=lambda handler, _method, _path: operation_id(handler),
        path="/openapi.json",
        render_plugins=[_Mended(path="/", media_type=MediaType.JSON)],
    )


def operation_id(handler: HTTPRouteHandler) -> str:
    """`createForm` of `create_form`."""
    first, *rest = handler.fn.__name__.split("_")
    return first + "".join(map(str.capitalize, rest))


class _Mended(JsonRenderPlugin):
    """Made once: the routes of a running program do not change."""

    _rendered: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        if self._rendered is None:
            self._rendered = msgspec.json.encode(mended(request.app, openapi_schema))
        return self._rendered


def mended(app: Litestar, derived: Json) -> Json:
    """A document of its own; what was derived is left as it is."""
    document: Json = msgspec.json.decode(msgspec.json.encode(derived))
    handlers = dict(_handlers(app))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                _mend_operation(operation, handlers[method, path])
    document["components"]["schemas"] = _schemas(list(handlers.values()))
    document["components"]["responses"] = {f"Problem{status}": _problem(status) for status in TEXTS}
    return document


def _handlers(app: Litestar) -> Iterator[tuple[tuple[str, str], HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.include_in_schema:
                    for method in handler.http_methods:
                        yield (method.lower(), route.path_format), handler


def _mend_operation(operation: Json, handler: HTTPRouteHandler) -> None:
    name = handler.fn.__name__
    operation["summary"] = name.replace("_", " ").capitalize()
    operation["description"] = " ".join((handler.fn.__doc__ or "").split())
    scope = handler.opt.get(SCOPE)
    if scope:
        operation["description"] += f" An API key needs the scope `{scope}`."
    operation.pop("deprecated", None)
    _mend_body(operation.get("requestBody", {}))
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        _mend_parameter(parameter)
    parameters += [examples.HEADERS[header] for header in examples.headers_of(name)]
    if not parameters:
        del operation["parameters"]
    guards = set(handler.resolve_guards())
    _mend_responses(operation, guarded=bool(guards & {signed_in, admin_only, perhaps_signed_in}))
    _add_media(operation)
    if "If-None-Match" in examples.headers_of(name):
        operation["responses"]["304"] = {"description": "What If-None-Match names is current"}
    for status, response in operation["responses"].items():
        if links := links_of(operation["operationId"], int(status)):
            response["links"] = links
    if guards & {signed_in, admin_only}:
        operation["security"] = [{"bearer": []}]
    elif perhaps_signed_in in guards:
        operation["security"] = [{}, {"bearer": []}]


def _mend_body(body: Json) -> None:
    """One that may be left out is not told as null."""
    for content in body.get("content", {}).values():
        if "oneOf" in content["schema"]:
            body["required"] = False
            content["schema"] = next(each for each in content["schema"]["oneOf"] if "$ref" in each)


def _mend_parameter(parameter: Json) -> None:
    """A parameter is left out, never null."""
    for noise in ("deprecated", "allowEmptyValue", "allowReserved"):
        parameter.pop(noise, None)
    schema = parameter["schema"]
    schema.pop("description", None)
    if "oneOf" in schema:
        [kept] = [each for each in schema.pop("oneOf") if each != {"type": "null"}]
        schema.update(kept)
    if isinstance(schema.get("type"), list):
        [schema["type"]] = [each for each in schema["type"] if each != "null"]
    if "enum" in schema:
        schema["enum"] = [each for each in schema["enum"] if each is not None]
    if schema.get("default", "") is None:
        del schema["default"]


def _mend_responses(operation: Json, *, guarded: bool) -> None:
    """Statuses that follow from how a route is reached, and one shape for all errors."""
    responses = operation["responses"]
    statuses = {int(status) for status in responses} | set(_ALWAYS)
    statuses.add(400)  # a parameter that the path does not know is refused
    if guarded:
        statuses |= {401, 403}
    for status in statuses:
        told = responses.get(str(status), {}).get("content", {})
        if status >= 400 and "Readiness" not in str(told):
            responses[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
        for content in told.values():
            _any_of(content["schema"])
        if FILE in told:  # whichever of the formats was asked for
            responses[str(status)]["content"] = {each: {"schema": _BINARY} for each in MEDIA_TYPES.values()}
    operation["responses"] = dict(sorted(responses.items()))


_MEDIA: Final = {
    "createChatCompletion": "text/event-stream",
    "askSql": "text/csv",
    "askQuery": "text/csv",
}


def _add_media(operation: Json) -> None:
    """An answer that comes whole or as it is made, and one that comes as CSV when that is asked for."""
    if media := _MEDIA.get(operation["operationId"]):
        operation["responses"]["200"]["content"][media] = {"schema": {"type": "string"}}


def _any_of(schema: Json) -> None:
    """A whole form also has all that a public one must have: it is not exactly one of the two."""
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")


def _problem(status: int) -> Json:
    headers = {}
    if status in (429, 503):
        seconds = {"type": "integer", "minimum": 0}
        headers = {"headers": {"Retry-After": {"description": "Seconds", "schema": seconds}}}
    return {"description": TEXTS[status], "content": {PROBLEM_JSON: _PROBLEM}, **headers}


def _schemas(handlers: list[HTTPRouteHandler]) -> Json:
    types: list[Any] = [ProblemDocument]
    for handler in handlers:
        for spec in (handler.responses or {}).values():
            # What is one of several shapes is described by each.
            types += (
                get_args(spec.data_container) if _is_union(spec.data_container) else [spec.data_container]
            )
        if (field := handler.parsed_data_field) is not None:
            types.append(field.annotation)
    _, schemas = msgspec.json.schema_components(
        [each for each in types if each is not None], ref_template=_REF
    )
    for name in ("Form", "PublicForm"):  # kept as a mapping, for what is secret or not set is left out
        schemas[name]["properties"]["settings"] = {"$ref": _REF.format(name="FormSettings")}
    # Also a mapping, for a null in it says something; what it says is checked all the same.
    schemas["ChangeForm"]["properties"]["settings"] = {"$ref": _REF.format(name="ChangeSettings")}
    schemas["ChangeSettings"] = _changed(schemas["FormSettings"])
    for name, schema in schemas.items():
        for each in schema.get("properties", {}).values():
            if each.get("enum") == [True]:  # generators know no enumeration of booleans
                each.update(type="boolean", const=each.pop("enum")[0])
        _mend_patterns(schema)
        schema.update(examples.RULES.get(name, {}))
        if name in examples.BODIES:
            schema["examples"] = [examples.BODIES[name]]
    return dict(sorted(schemas.items()))


def _changed(settings: Json) -> Json:
    """The shape of changes: each setting may also be null, and what is left out stays."""
    properties = {}
    for name, each in settings["properties"].items():
        shape = {keyword: value for keyword, value in each.items() if keyword != "default"}
        properties[name] = shape if "anyOf" in shape else {"anyOf": [shape, {"type": "null"}]}
    told = "Only what is given is changed; null goes back to the default."
    return {**settings, "title": "ChangeSettings", "description": told, "properties": properties}


def _mend_patterns(schema: Any) -> None:
    """JSON Schema's patterns are ECMAScript's: `$` is the end there, which Python calls `\\Z`."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            schema["pattern"] = pattern.replace(r"\Z", "$")
        schema = list(schema.values())
    if isinstance(schema, list):
        for each in schema:
            _mend_patterns(each)


def _is_union(shape: Any) -> bool:
    return isinstance(shape, UnionType)
