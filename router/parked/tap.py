"""A transport for aiormq that keeps the last content header's property list as it came.

aiormq decodes properties, and encoding them again would change what a client wrote (widths of numbers, bytes
that are not UTF-8, a `message_id` that was not there). The tap only looks: aiormq reads the same bytes.
"""

import asyncio
from struct import Struct as Packer
from typing import Any, Final

from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from yarl import URL

_HEADER_FRAME: Final = 2
_START_BYTES: Final = 7  # type, channel, size
_END_BYTES: Final = 1
_FIXED_BYTES: Final = 12  # class, weight, body size: what precedes the property list
_SIZE_AT: Final = 3
_U32: Final = Packer(">I")


class HeaderTap:
    """Splits a stream of frames, cut anywhere, and keeps the property list of the newest content header.

    Memory: one header frame at most (frame_max); body frames are skipped, not kept.
    """

    def __init__(self) -> None:
        self.raw_properties = b""
        self._start = bytearray()
        self._payload = bytearray()
        self._left = 0

    def feed(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not self._left:
                missing = _START_BYTES - len(self._start)
                self._start += view[:missing]
                view = view[missing:]
                if len(self._start) == _START_BYTES:
                    self._left = _U32.unpack_from(self._start, _SIZE_AT)[0] + _END_BYTES
                continue
            piece, view = view[: self._left], view[self._left :]
            self._left -= len(piece)
            if self._start[0] == _HEADER_FRAME:
                self._payload += piece
            if not self._left:
                self._end_frame()

    def _end_frame(self) -> None:
        if self._start[0] == _HEADER_FRAME:
            self.raw_properties = bytes(self._payload[_FIXED_BYTES:-_END_BYTES])
            self._payload.clear()
        self._start.clear()


class _TappedProtocol(asyncio.StreamReaderProtocol):
    def __init__(self, reader: asyncio.StreamReader, tap: HeaderTap) -> None:
        super().__init__(reader)
        self._tap = tap

    def data_received(self, data: bytes) -> None:
        self._tap.feed(data)
        super().data_received(data)


class TapTransport(TransportFactory):
    """The factory that aiormq calls once. `tap` has the newest property list: with one `basic.get` under way
    at a time, that of its message (the reader's tasks run after the bytes were fed)."""

    def __init__(self) -> None:
        self.tap = HeaderTap()

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connects. Raises AMQPConnectionError; a cancel closes the socket."""
        loop = asyncio.get_running_loop()
        provider = kwargs.pop("ssl_context_provider", None)
        context = await provider.get_context() if url.scheme == "amqps" and provider is not None else None
        reader = asyncio.StreamReader()
        try:
            transport, protocol = await loop.create_connection(
                lambda: _TappedProtocol(reader, self.tap), url.host or "", url.port or 0, ssl=context
            )
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
