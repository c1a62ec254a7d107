"""The load's connections: one client publishing with confirms, or one client reading its inboxes, many to a process.

All that the bench knows about AMQP is here. It stands on the hub's lane, because a load client that costs more than the
router measures itself; what a confirm or a delivery means is decided here and in `reading`, not there.
"""

from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import aiormq
from msgspec import Struct
from pamqp.commands import Basic
from yarl import URL

from router.lane import outbound
from router.lane.inbound import Confirm, Content, Event
from router.session.link import RPC_TIMEOUT_SECONDS, Link, broker_errors

MAX_BODY_BYTES: Final = 16 * 1024 * 1024
_CONTENT_TYPE, _DELIVERY_MODE, _MESSAGE_ID = 0x8000, 0x1000, 0x0080

Note = TypeVar("Note")


class Address(Struct, frozen=True):
    """Where the broker is. Only loopback is accepted by what starts a load."""

    host: str
    port: int
    vhost: str

    def url(self, user: str, password: str) -> URL:
        return URL.build(
            scheme="amqp",
            user=user,
            password=password,
            host=self.host,
            port=self.port,
            path=f"/{self.vhost}",  # aiormq takes what is behind the first slash as it is
            query={"heartbeat": "30", "name": f"hubex bench {user}"},
        )


def properties(content_type: str, delivery_mode: int, message_id: str) -> bytes:
    """A property list as a client's library writes it: flags first."""
    kind, identifier = content_type.encode(), message_id.encode()[:255]
    return b"".join(
        (
            (_CONTENT_TYPE | _DELIVERY_MODE | _MESSAGE_ID).to_bytes(2, "big"),
            bytes((len(kind),)),
            kind,
            bytes((delivery_mode, len(identifier))),
            identifier,
        )
    )


class Publisher(Generic[Note]):
    """One connection in confirm mode. `on_confirm(note, stored)` comes once for each publish that the broker answers.

    `on_lost` is called once, unless it is we who close. `unconfirmed` has the notes of what was not answered, in order
    of publishing.
    """

    def __init__(self, url: URL, on_confirm: Callable[[Note, bool], None], on_lost: Callable[[str], None]) -> None:
        self._link = Link(url, MAX_BODY_BYTES, self._events, self._set_writable, self._lost)
        self._on_confirm, self._on_lost = on_confirm, on_lost
        self._channel = 0
        self._methods: dict[tuple[str, str], bytes] = {}
        self._frames: list[bytes] = []
        self._notes: dict[int, Note] = {}
        self._tag = 0
        self._confirmed_up_to = 0
        self.writable = True
        """False while the socket's buffer is full: publish nothing new until it is true again."""

    async def open(self) -> None:
        """Connect and be ready to publish. Raises BrokerError."""
        await self._link.open()
        try:
            channel = await self._link.channel(confirms=True)
        except BaseException:
            self._link.abort()
            raise
        self._channel = channel.number
        channel.closing.add_done_callback(lambda _: self._channel_closed())

    def publish(self, exchange: str, routing_key: str, raw_properties: bytes, body: bytes, note: Note) -> None:
        """Take a publish; it is written by the next `flush`."""
        method = self._methods.get((exchange, routing_key))
        if method is None:
            method = outbound.publish_method(self._channel, exchange, routing_key)
            self._methods[exchange, routing_key] = method
        self._tag += 1
        self._notes[self._tag] = note
        self._frames.append(method)
        outbound.content(self._channel, raw_properties, body, self._link.max_frame_bytes, self._frames)

    def flush(self) -> None:
        """Write what was published, in one write."""
        if self._frames:
            self._link.write(b"".join(self._frames))
            self._frames.clear()

    @property
    def unconfirmed(self) -> list[Note]:
        return list(self._notes.values())

    @property
    def in_flight(self) -> int:
        return len(self._notes)

    async def close(self) -> None:
        self._on_lost = _ignore
        await self._link.close()

    def _lost(self, why: str) -> None:
        on_lost, self._on_lost = self._on_lost, _ignore
        on_lost(why)

    def _channel_closed(self) -> None:
        """The broker closed the channel (a right is missing, a property refused): start anew."""
        self._lost("channel closed")
        self._link.abort()

    def _set_writable(self, writable: bool) -> None:
        self.writable = writable

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Confirm):
                # Tags at or below the last `multiple` are answered: only what is above needs looking at.
                first = self._confirmed_up_to + 1 if event.multiple else event.number
                for tag in range(first, event.number + 1):
                    if tag in self._notes:
                        self._on_confirm(self._notes.pop(tag), event.stored)
                if event.multiple:
                    self._confirmed_up_to = event.number


Taken = Callable[[str, bytes, bytes, bool], None]
"""`(queue, raw properties, body, redelivered)` of one delivery, in the queue's order."""


class Reader:
    """One connection that consumes queues, a channel each, and acknowledges what it has handed on."""

    def __init__(self, url: URL, on_delivery: Taken, on_lost: Callable[[str], None]) -> None:
        self._link = Link(url, MAX_BODY_BYTES, self._events, _ignore, self._lost)
        self._on_delivery, self._on_lost = on_delivery, on_lost
        self._queues: dict[int, str] = {}

    async def open(self, queues: Iterable[str], prefetch: int) -> None:
        """Connect and consume. Raises BrokerError."""
        await self._link.open()
        try:
            for queue in queues:
                await self._consume(queue, prefetch)
        except BaseException:
            self._link.abort()
            raise

    async def _consume(self, queue: str, prefetch: int) -> None:
        channel = await self._link.channel(confirms=False)
        self._queues[channel.number] = queue
        channel.closing.add_done_callback(lambda _: self._channel_closed(queue))
        async with broker_errors():
            await channel.basic_qos(prefetch_count=prefetch, timeout=RPC_TIMEOUT_SECONDS)
            await channel.basic_consume(queue, _never_called, timeout=RPC_TIMEOUT_SECONDS)

    async def close(self) -> None:
        """The broker takes back what was not acknowledged: nothing, when every delivery was handed on."""
        self._on_lost = _ignore
        await self._link.close()

    def _lost(self, why: str) -> None:
        on_lost, self._on_lost = self._on_lost, _ignore
        on_lost(why)

    def _channel_closed(self, queue: str) -> None:
        """The broker closed one channel (its queue is gone, or refused): the whole reader starts anew."""
        self._lost(f"channel of {queue} closed")
        self._link.abort()

    def _events(self, events: list[Event]) -> None:
        newest: dict[int, int] = {}
        for event in events:
            if isinstance(event, Content) and event.tag:
                queue = self._queues[event.channel]
                self._on_delivery(queue, event.raw_properties, event.body, event.redelivered)
                newest[event.channel] = event.tag
        if newest:
            self._link.write(b"".join(outbound.ack(channel, tag, True) for channel, tag in newest.items()))


async def look(url: URL, queue: str, limit: int) -> list[bytes]:
    """Up to `limit` bodies of a queue from its head on, left in it. Raises BrokerError.

    For small queues: it takes one by one and gives all back at the end, which raises their delivery counts.
    """
    found: list[bytes] = []
    async with broker_errors():
        connection = await aiormq.connect(url)
        try:
            channel = await connection.channel(timeout=RPC_TIMEOUT_SECONDS)
            while len(found) < limit:
                message = await channel.basic_get(queue, no_ack=False, timeout=RPC_TIMEOUT_SECONDS)
                if isinstance(message.delivery, Basic.GetEmpty):
                    break
                found.append(message.body)
        finally:
            await connection.close()
    return found


def _ignore(_: object) -> None: ...


async def _never_called(_: object) -> None:
    """aiormq wants a callback; the lane takes the deliveries before it."""
