"""The three inboxes of one client, read by nobody else at the same time.

Law: never beside a real consumer. Quorum queues let a second consumer in whatever `exclusive` says (measured
on 3.10.8), so the number of consumers is asked for: before subscribing, after it and each second; no message
is handed out before the second answer. A message is settled by `done` alone; all others go back to the queue
at the close.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from msgspec import Struct
from pamqp.commands import Basic

from router.client.bodies import Summary, summary
from router.client.connect import (
    CLOSE_TIMEOUT_SECONDS,
    RPC_TIMEOUT_SECONDS,
    BrokerRefusal,
    ClientError,
    Login,
    refusals,
)
from router.client.ending import ended, tried
from router.core import names
from router.core.directory import Client

PREFETCH: Final = 1
"""Each message that goes back unread counts as a delivery, and inboxes have a delivery limit."""
GUARD_SECONDS: Final = 1.0


class Received(Struct, frozen=True):
    """One message, not settled yet. `kind` is that of the queue; `marked` the hub's possible-duplicate mark."""

    queue: str
    kind: str
    body: bytes
    read: Summary
    marked: bool
    redelivered: bool
    tag: int
    arrived_at: float = 0.0
    """Epoch seconds."""


class Inboxes:
    """Use as `async with`. Entering raises ClientError when somebody else reads one of the inboxes, when one
    is missing, or when the client is not marked `test = true`."""

    def __init__(self, connection: AbstractConnection, login: Login, client: Client) -> None:
        self._connection, self._login, self._client = connection, login, client
        self._kinds = {client.inbox(kind): kind for kind in names.KINDS}
        self._arrived: asyncio.Queue[Received | ClientError] = asyncio.Queue()
        self._channel: AbstractChannel | None = None
        self._guard: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if not self._client.test:
            raise ClientError(
                f"client {self._client.id!r} is not marked `test = true` in the directory: its inboxes belong to"
                " its real software"
            )
        try:
            await self._open()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def next(self) -> Received:
        """The next message of any inbox. Raises ClientError when reading has come to an end. A cancel loses
        nothing: what was not handed out goes back to its queue at the close."""
        item = await self._arrived.get()
        if isinstance(item, ClientError):
            raise item
        return item

    async def done(self, received: Received) -> None:
        """The technical acknowledgement. Raises BrokerRefusal; then the message will come again."""
        assert self._channel is not None
        async with refusals(self._login):
            await self._channel.basic_ack(received.tag)

    # ---- inside ----------------------------------------------------------------------------------

    async def _open(self) -> None:
        async with refusals(self._login):
            watch = await self._connection.channel(timeout=RPC_TIMEOUT_SECONDS, publisher_confirms=False)
        await self._check(watch, allowed=0)
        async with refusals(self._login):
            self._channel = channel = await self._connection.channel(
                timeout=RPC_TIMEOUT_SECONDS, publisher_confirms=False
            )
            channel.on_consumer_cancel_callbacks.add(self._on_cancel)
            await channel.basic_qos(prefetch_count=PREFETCH, timeout=RPC_TIMEOUT_SECONDS)
            held = asyncio.Event()
            for queue, kind in self._kinds.items():
                await channel.basic_consume(
                    queue, self._consumer(queue, kind, held), exclusive=True, timeout=RPC_TIMEOUT_SECONDS
                )
        await self._check(watch, allowed=1)
        held.set()
        self._guard = asyncio.create_task(self._watch(watch))
        self._connection.closing.add_done_callback(self._on_closing)

    def _consumer(
        self, queue: str, kind: str, held: asyncio.Event
    ) -> Callable[[DeliveredMessage], Coroutine[Any, Any, None]]:
        async def consume(message: DeliveredMessage) -> None:
            arrived_at = time.time()
            await held.wait()
            self._arrived.put_nowait(_received(message, queue, kind, arrived_at))

        return consume

    async def _check(self, watch: AbstractChannel, allowed: int) -> None:
        """Raises ClientError when an inbox has more consumers than are ours."""
        for queue in self._kinds:
            async with refusals(self._login):
                found = await watch.queue_declare(queue, passive=True, timeout=RPC_TIMEOUT_SECONDS)
            if (found.consumer_count or 0) > allowed:
                raise ClientError(
                    f"somebody else reads {queue}: recv never reads beside another consumer (stop it, or use another"
                    " client)"
                )

    async def _watch(self, watch: AbstractChannel) -> None:
        try:
            while True:
                await asyncio.sleep(GUARD_SECONDS)
                await self._check(watch, allowed=1)
        except ClientError as error:
            self._arrived.put_nowait(error)

    def _on_cancel(self, frame: Basic.Cancel) -> None:
        self._arrived.put_nowait(ClientError(f"an inbox of {self._client.id!r} was removed from the broker"))

    def _on_closing(self, _: object) -> None:
        where = f"{self._login.host}:{self._login.port}"
        self._arrived.put_nowait(BrokerRefusal(f"the connection to {where} was lost"))

    async def _close(self) -> None:
        """Close the channel without cancelling the consumers: what is unsettled goes back in its order."""
        if self._guard is not None:
            await ended(self._guard)
        if self._channel is not None:
            await tried(self._channel.close(), CLOSE_TIMEOUT_SECONDS)


def _received(message: DeliveredMessage, queue: str, kind: str, arrived_at: float) -> Received:
    delivery = message.delivery
    assert isinstance(delivery, Basic.Deliver) and delivery.delivery_tag is not None
    headers = message.header.properties.headers or {}
    return Received(
        queue=queue,
        kind=kind,
        body=message.body,
        read=summary(message.body),
        marked=headers.get(names.HEADER_POSSIBLE_DUPLICATE) is True,
        redelivered=bool(delivery.redelivered),
        tag=delivery.delivery_tag,
        arrived_at=arrived_at,
    )
