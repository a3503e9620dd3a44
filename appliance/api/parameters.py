"""The path parameters that several routes take."""

from __future__ import annotations

from typing import Annotated

from litestar.params import Parameter

FormId = Annotated[str, Parameter(description="A form's id", max_length=64)]
ResponseId = Annotated[str, Parameter(description="A response's id", max_length=64)]
