"""aiormq's transport with the lane inside: hot frames become events, everything else goes on to aiormq's reader.

Law: the lane's events are handled in the very call that brought their bytes, before the loop does anything else.
"""

import asyncio
import ssl as tls
import time
from collections.abc import Callable
from typing import Any, Final, cast

from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from yarl import URL

from router.core.errors import FrameError
from router.lane.inbound import HEARTBEAT_FRAME, Event, Inbound

KEEPALIVE_SECONDS: Final = 1.0
"""aiormq counts only the frames it sees; under hot traffic the broker sends no heartbeats, so the lane gives one."""


class LaneProtocol(asyncio.StreamReaderProtocol):
    """Splits the incoming bytes. `on_events` gets non-empty lists; `on_lost` is called once; neither may raise."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        inbound: Inbound,
        on_events: Callable[[list[Event]], None],
        on_writable: Callable[[bool], None],
        on_lost: Callable[[str], None],
    ) -> None:
        super().__init__(reader)
        self._clock = time.monotonic
        self._inbound = inbound
        self._on_events, self._on_writable, self._on_lost = on_events, on_writable, on_lost
        self._fed_at = self.received_at = self._clock()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by duck typing only
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self.received_at = self._clock()
        events: list[Event] = []
        try:
            others = self._inbound.feed(data, events)
        except FrameError as error:
            self.fail(error.what)
            return
        if others:
            self._fed_at = self._clock()
            super().data_received(others)
        else:
            self.keep_alive()
        if events:
            self._on_events(events)

    def keep_alive(self) -> None:
        """Let aiormq know that the peer lives; called for hot traffic, and by a timer while reading is paused."""
        now = self.received_at
        if now - self._fed_at >= KEEPALIVE_SECONDS:
            self._fed_at = now
            super().data_received(HEARTBEAT_FRAME)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._on_writable(False)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._on_writable(True)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        on_lost, self._on_lost = self._on_lost, _nothing
        on_lost("connection lost" if exc is None else type(exc).__name__)

    def fail(self, why: str) -> None:
        """Cut the connection, and say why."""
        on_lost, self._on_lost = self._on_lost, _nothing
        if self._transport is not None:
            self._transport.abort()
        on_lost(why)


def _nothing(_: str) -> None: ...


class LaneTransport(TransportFactory):
    """The factory that aiormq calls once; `protocol` and `transport` are there afterwards."""

    def __init__(
        self,
        inbound: Inbound,
        on_events: Callable[[list[Event]], None],
        on_writable: Callable[[bool], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._arguments = (inbound, on_events, on_writable, on_lost)
        self.protocol: LaneProtocol | None = None
        self.transport: asyncio.Transport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect. Raises AMQPConnectionError; a cancel closes the socket."""
        loop = asyncio.get_running_loop()
        provider = kwargs.pop("ssl_context_provider", None)
        context: tls.SSLContext | None = None
        if url.scheme == "amqps" and provider is not None:
            context = await provider.get_context()
        assert url.host is not None and url.port is not None  # built by the worker with both
        reader = asyncio.StreamReader()
        try:
            transport, protocol = await loop.create_connection(
                lambda: LaneProtocol(reader, *self._arguments), url.host, url.port, ssl=context
            )
        except OSError as error:
            raise AMQPConnectionError(*error.args) from error
        self.transport, self.protocol = transport, protocol
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
