"""What Litestar says of parameters and bodies that it cannot hand on, by the names that callers use.

It names the handler's own argument (`source`) where the caller has sent another word (`from`), and tells of
what is missing in prose only.
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import HTTPException
from litestar.params import ParameterKwarg
from litestar.typing import FieldDefinition

from appliance.errors import BadRequest, FieldError, pointer
from appliance.services import shape_faults

_BODY = "data"
"""The argument of handlers that take one. A body that is there was read before, by ApiRequest.json."""


def problem(request: Request[Any, Any, Any], error: HTTPException) -> BadRequest:
    faults = error.extra if isinstance(error.extra, list) else []
    found = [fault for fault in faults if isinstance(fault, dict)]
    if any(fault.get("key") == _BODY for fault in found):
        return BadRequest("A JSON body is needed.", errors=[FieldError("", "is required")])
    if isinstance(error.__cause__, KeyError):
        missing = FieldError(pointer(str(error.__cause__.args[0])), "is required")
        return BadRequest("A parameter is missing.", errors=[missing])
    detail = "A parameter is not valid." if error.extra else "The request could not be read."
    return BadRequest(detail, errors=[_fault(request, fault) for fault in found])


def _fault(request: Request[Any, Any, Any], fault: dict[str, Any]) -> FieldError:
    key, message = str(fault.get("key", "")), str(fault.get("message", ""))
    name, *steps = key.split(".")
    argument = request.route_handler.parsed_fn_signature.parameters.get(name)
    if argument is None:
        return FieldError(pointer(*key.split(".")), message)
    return FieldError(pointer(_sent_as(argument), *steps), _wanted(message, argument))


def _sent_as(argument: FieldDefinition) -> str:
    given = argument.kwarg_definition
    if not isinstance(given, ParameterKwarg):
        return argument.name
    return given.name or argument.name


def _wanted(message: str, argument: FieldDefinition) -> str:
    """A pattern in the words of the parameter's description."""
    given = argument.kwarg_definition
    if isinstance(given, ParameterKwarg) and given.pattern and given.description and "regex" in message:
        return f"must be {given.description[0].lower()}{given.description[1:]}"
    return shape_faults.wanted(message, argument.annotation)
