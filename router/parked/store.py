"""The parking queue, held open for one look: `basic.get` message by message, nothing settled but by `settle`.

Law: what was looked at and not settled is back in its place when the channel closes, also by a crash. A look
ends: it takes at most what was there at its start, so what is parked again during a replay waits for the next.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from aiormq.abc import AbstractChannel
from pamqp.commands import Basic

from router.client.connect import (
    CLOSE_TIMEOUT_SECONDS,
    RPC_TIMEOUT_SECONDS,
    Login,
    connected,
    refusals,
    router_login,
)
from router.client.ending import tried
from router.core import names
from router.core.delivery import Delivery
from router.parked.message import Parked, as_delivery, describe
from router.parked.tap import TapTransport
from router.settings.config import Config


class Held:
    """A message that this look holds: nobody else gets it before the look ends. Not settled."""

    __slots__ = ("delivery", "parked")

    def __init__(self, delivery: Delivery, parked: Parked) -> None:
        self.delivery, self.parked = delivery, parked


class ParkedQueue:
    """Made by `opened`."""

    def __init__(self, login: Login, channel: AbstractChannel, transport: TapTransport) -> None:
        self._login, self._channel, self._transport = login, channel, transport

    async def look(self) -> AsyncGenerator[Held, None]:
        """Each parked message once, oldest first. Raises BrokerRefusal.

        Only the messages that the caller keeps are kept in memory here; the broker keeps them all.
        """
        left = 1
        first = True
        while left > 0:
            async with refusals(self._login):
                message = await self._channel.basic_get(names.PARKED, timeout=RPC_TIMEOUT_SECONDS)
            got = message.delivery
            if not isinstance(got, Basic.GetOk) or got.delivery_tag is None:
                return
            left = (got.message_count or 0) if first else left - 1
            first = False
            delivery = as_delivery(
                got.delivery_tag, bool(got.redelivered), self._transport.tap.raw_properties, message.body
            )
            yield Held(delivery, describe(delivery, self._login.vhost, message.header.properties.expiration))

    async def settle(self, held: Held) -> None:
        """Takes the message out of the parking queue; back when the broker has heard it. Raises BrokerRefusal;
        then it may still be there."""
        async with refusals(self._login):
            await self._channel.basic_ack(held.delivery.tag)
            # An acknowledgement has no answer; a channel works in order, so this one's answer is its answer.
            await self._channel.basic_qos(prefetch_count=0, timeout=RPC_TIMEOUT_SECONDS)


@asynccontextmanager
async def opened(config: Config, vhost: str) -> AsyncIterator[ParkedQueue]:
    """The parking queue of a vhost, on a connection of its own as the router's user.

    At the end the channel is closed, so that every settlement has reached the broker and all else is back in
    the queue. Raises BrokerRefusal, SettingsError.
    """
    login = router_login(config, vhost, "hubex parked")
    transport = TapTransport()
    async with connected(login, transport) as connection:
        async with refusals(login):
            channel = await connection.channel(timeout=RPC_TIMEOUT_SECONDS, publisher_confirms=False)
        try:
            yield ParkedQueue(login, channel, transport)
        finally:
            await tried(channel.close(), CLOSE_TIMEOUT_SECONDS)
