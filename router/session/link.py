"""One connection to the broker: aiormq's for everything slow, the lane's for the hot frames."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPConnectionError, AMQPError, InvalidFrameError, ProbableAuthenticationError
from pamqp.commands import Basic
from yarl import URL

from router.core.errors import BrokerError
from router.lane.inbound import OFFERED_FRAME_BYTES, Event, Inbound
from router.session.transport import LaneTransport

CONNECT_TIMEOUT_SECONDS: Final = 10.0
"""A balancer accepts for a node that hangs; then only this ends the attempt."""
CLOSE_TIMEOUT_SECONDS: Final = 2.0
"""A graceful close can hang without quorum (DELIVERY.md 4, measured); after this the socket is cut."""
RPC_TIMEOUT_SECONDS: Final = 10.0
"""Opening a channel or subscribing: milliseconds on a healthy node."""
MAX_WHY_CHARACTERS: Final = 200

# aiormq logs each lost connection with a traceback; the session says the same in one line of its own.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


class Link:
    """A connection in use. `on_lost(why)` is called once when it goes, also when we cut it."""

    def __init__(
        self,
        url: URL,
        max_body_bytes: int,
        on_events: Callable[[list[Event]], None],
        on_writable: Callable[[bool], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self.inbound = Inbound(OFFERED_FRAME_BYTES, max_body_bytes)
        self._paused = False
        self._lane = LaneTransport(self.inbound, on_events, on_writable, on_lost)
        self._url = url
        self._connection = aiormq.Connection(url, transport_factory=self._lane)
        self._probing: AbstractChannel | None = None

    async def open(self) -> None:
        """Connect, log in, open the vhost. Raises BrokerError; a cancel leaves nothing open."""
        try:
            async with broker_errors(), asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await self._connect()
        except BaseException:
            self.abort()
            raise
        negotiated = self._connection.connection_tune.frame_max
        if negotiated:
            self.inbound.max_frame_bytes = negotiated

    @property
    def max_frame_bytes(self) -> int:
        """The negotiated frame_max."""
        return self.inbound.max_frame_bytes

    async def _connect(self) -> None:
        """What an operator can mend is said in plain words. Whatever else goes wrong passes as it is."""
        try:
            await self._connection.connect()
        except ProbableAuthenticationError as error:
            raise BrokerError("the broker refuses the login: wrong password, or no such user") from error
        except InvalidFrameError as error:
            # The one call that aiormq expects a certain answer to while connecting is `connection.open`.
            raise BrokerError("the broker refuses the vhost: not there, or the user may not enter it") from error
        except AMQPConnectionError as error:
            why = error.args[-1] if error.args else type(error).__name__
            place = f"{self._url.host}:{self._url.port}"
            raise BrokerError(f"no broker answers at {place}: {why}"[:MAX_WHY_CHARACTERS]) from error

    async def channel(self, confirms: bool, timeout_seconds: float | None = RPC_TIMEOUT_SECONDS) -> AbstractChannel:
        """A new channel, its hot frames taken by the lane. Raises BrokerError; with no timeout the caller bounds it."""
        async with broker_errors():
            channel = await self._connection.channel(publisher_confirms=confirms, timeout=timeout_seconds)
        self.inbound.take_channel(channel.number)
        return channel

    async def store_probe(self, exchange: str) -> None:
        """Publish an empty persistent message and wait for its confirm, however long. Raises BrokerError.

        Its channel is kept: a broker that blocks publishers answers neither an opening nor a closing.
        """
        async with broker_errors():
            if self._probing is None:
                self._probing = await self._connection.channel()
            await self._probing.basic_publish(
                b"", exchange=exchange, mandatory=True, properties=Basic.Properties(delivery_mode=2)
            )

    async def close_channel(self, channel: AbstractChannel) -> None:
        """Close without `basic.cancel` (DELIVERY.md 8, hand-over). Never raises but for a cancel."""
        with contextlib.suppress(BrokerError):
            async with broker_errors(), asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await channel.close()
        self.inbound.leave_channel(channel.number)

    def write(self, data: bytes) -> None:
        """Queue whole frames for sending; nothing when the connection is gone."""
        transport = self._lane.transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    def pause_reading(self, paused: bool) -> None:
        """Let the socket fill up, or empty it again."""
        transport = self._lane.transport
        if transport is None or transport.is_closing() or paused is self._paused:
            return
        self._paused = paused
        if paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def check_heartbeat(self, now: float) -> None:
        """Call often. Cuts a connection that brought not a byte for two heartbeats (the broker sends one each half).

        A socket that we do not read ourselves brings none either: that is our doing, not the peer's death.
        """
        protocol = self._lane.protocol
        if protocol is None:
            return
        if self._paused:
            protocol.received_at = now
            protocol.keep_alive()
        elif now - protocol.received_at > 2 * self._connection.heartbeat_timeout > 0:
            protocol.fail("heartbeat missed")

    def abort(self) -> None:
        """Cut the socket now; the broker redelivers what was unsettled."""
        if self._lane.transport is not None:
            self._lane.transport.abort()

    async def close(self) -> None:
        """Close politely, then surely. A cancel cuts the socket."""
        try:
            with contextlib.suppress(BrokerError):
                async with broker_errors():
                    await asyncio.wait_for(self._connection.close(), CLOSE_TIMEOUT_SECONDS)
        finally:
            self.abort()


def ignore(_: bool) -> None:
    """For `on_writable`, where nothing is written that could wait."""


@contextlib.asynccontextmanager
async def broker_errors() -> AsyncIterator[None]:
    """Turn whatever aiormq raises when the broker or the network fails into BrokerError.

    aiormq cancels its own futures when a connection goes; that CancelledError is the broker's failure, a cancel of the
    calling task is not and passes.
    """
    try:
        yield
    # StopAsyncIteration: aiormq reads on after the end of a connection that is cut while it is being opened.
    except (AMQPError, OSError, TimeoutError, RuntimeError, StopAsyncIteration) as error:
        raise BrokerError(repr(error)[:MAX_WHY_CHARACTERS]) from error
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BrokerError("connection closed during a call") from None
