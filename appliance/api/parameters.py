"""The path parameters that several routes take."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

FormId = Annotated[str, Parameter(description="A form's id", max_length=64)]
FileId = Annotated[str, Parameter(description="A file's id", max_length=64)]
PartialToken = Annotated[
    str,
    Parameter(
        description="The secret of a half-filled response, made by the client at random: 32 to 128 letters "
        "and digits of ASCII, hyphens and underscores",
        pattern="^[A-Za-z0-9_-]{32,128}$",
        max_length=128,
    ),
]
ResponseId = Annotated[str, Parameter(description="A response's id", max_length=64)]
