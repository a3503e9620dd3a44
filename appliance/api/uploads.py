"""Reading an upload: a multipart/form-data body with one part `file`, or the bytes themselves."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from litestar.exceptions import HTTPException
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from appliance.api.requests import ApiRequest
from appliance.domain.file_type import plain_name, plain_type
from appliance.errors import BadRequest, FieldError, TooLarge
from appliance.services.uploads import Sent

AROUND = 64 * 1024
"""Bytes that a body may have beside the file: boundaries and headers of parts."""
_PARTS = 2
"""Of which one is a mistake to be told of."""


class Body:
    """The body of a request, in chunks; never more of it than may be."""

    def __init__(self, request: ApiRequest, most: int) -> None:
        self._chunks = request.stream()
        self._most = self._left = most
        self.ended = False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Raises TooLarge, and BadRequest when the sender hung up midway."""
        try:
            async for chunk in self._chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    raise TooLarge(f"The body is larger than an upload may be: at most {self._most} bytes.")
                if chunk:
                    yield chunk
        except HTTPException:
            raise BadRequest("The body broke off.") from None
        self.ended = True

    async def drain(self) -> None:
        """What was sent is read, also where it is refused: who is still sending would not see the answer."""
        try:
            async for chunk in self._chunks:
                self._left -= len(chunk)
                if self._left < 0:
                    return
        except HTTPException:
            return


async def read(request: ApiRequest, body: Body, name: str | None) -> Sent:
    """The file with what its sender says of it. Raises BadRequest, TooLarge; its chunks do so too."""
    content_type = request.headers.get("content-type", "")
    kind, options = parse_options_header(content_type)
    if kind.lower() != "multipart/form-data":
        named = plain_name(name)
        return Sent(named, plain_type(kind, named), body.chunks())
    parts = _Parts(body.chunks(), options.get("boundary", ""))
    part = await parts.file()
    named = plain_name(name or part.filename)
    return Sent(named, plain_type(part.content_type, named), parts.content())


class _Parts:
    """A multipart body that holds one part."""

    def __init__(self, chunks: AsyncIterator[bytes], boundary: str) -> None:
        try:
            self._parser = PushMultipartParser(boundary, max_segment_count=_PARTS, strict=True)
        except MultipartError as fault:
            raise _broken(fault) from None
        self._events = self._read(chunks)

    async def file(self) -> MultipartSegment:
        """The headers of the part `file`. Raises BadRequest."""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                if event.name != "file":
                    raise _wrong_part(event.name)
                return event
        raise _wrong_part(None)

    async def content(self) -> AsyncGenerator[bytes]:
        """Its bytes. Raises BadRequest when the body has another part, or ends before its end."""
        async for event in self._events:
            if isinstance(event, MultipartSegment):
                raise _wrong_part(event.name)
            if event is not None:
                yield event

    async def _read(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[MultipartSegment | bytes | None]:
        try:
            async for chunk in chunks:
                for event in self._parser.parse(chunk):
                    yield event
            self._parser.close()
        except MultipartError as fault:
            raise _broken(fault) from None


def _broken(fault: MultipartError) -> BadRequest:
    return BadRequest("The multipart body cannot be read.", errors=[FieldError("", str(fault))])


def _wrong_part(name: str | None) -> BadRequest:
    fault = FieldError("/file", "one part of the name `file` is needed, and no other")
    told = "" if name is None else f" It has a part {name!r:.50}."
    return BadRequest(f"The multipart body is not one file.{told}", errors=[fault])
