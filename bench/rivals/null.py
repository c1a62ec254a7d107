"""The null forwarder: the hub's own lane, and nothing on it. What is left between it and the router is the hub's work.

A delivery's properties and body go out as they came. Acknowledgements are `multiple`, up to the last delivery before
which everything is confirmed.
"""

import asyncio
from collections.abc import Callable

from yarl import URL

from bench.amqp import Publisher, Reader
from bench.job import ForwardJob
from bench.rivals.serving import ended, serve, url_of
from bench.steering import Steering, main
from router.core.names import INBOX_EXCHANGE
from router.lane import outbound
from router.lane.inbound import Content, Event

Delivery = tuple[int, int]
"""Channel and tag."""


class Source(Reader):
    """Takes deliveries whole and leaves it to its caller to acknowledge them."""

    def __init__(self, url: URL, on_contents: Callable[[list[Content]], None], on_lost: Callable[[str], None]) -> None:
        super().__init__(url, lambda *_: None, on_lost)
        self._on_contents = on_contents

    def _events(self, events: list[Event]) -> None:
        self._on_contents([event for event in events if isinstance(event, Content) and event.tag])

    def acknowledge(self, channel: int, tag: int) -> None:
        """Everything up to `tag`."""
        self._link.write(outbound.ack(channel, tag, True))


class Settled:
    """The deliveries of one channel: `through` is the last tag up to which all are settled, in whatever order."""

    def __init__(self) -> None:
        self.through = 0
        self._beyond: set[int] = set()

    def settle(self, tag: int) -> None:
        self._beyond.add(tag)
        while self.through + 1 in self._beyond:
            self.through += 1
            self._beyond.remove(self.through)


class NullForwarder:
    """Forwards all queues of a job on one connection in and one out."""

    def __init__(self, job: ForwardJob) -> None:
        self._job = job
        self.lost = ""
        url = URL(url_of(job), encoded=True)
        self._source = Source(url, self._take, self._broken)
        self._publisher: Publisher[Delivery] = Publisher(url, self._confirmed, self._broken)
        self._settled: dict[int, Settled] = {}
        self._acknowledged: dict[int, int] = {}
        self._ack_planned = False

    async def open(self) -> None:
        """Raises BrokerError."""
        await self._publisher.open()
        await self._source.open(self._job.queues, self._job.prefetch)

    async def close(self) -> None:
        await self._source.close()
        await self._publisher.close()

    def _broken(self, why: str) -> None:
        self.lost = why

    def _take(self, contents: list[Content]) -> None:
        for each in contents:
            inbox = self._job.inboxes[each.routing_key]
            self._publisher.publish(INBOX_EXCHANGE, inbox, each.raw_properties, each.body, (each.channel, each.tag))
        self._publisher.flush()

    def _confirmed(self, delivery: Delivery, stored: bool) -> None:
        if not stored:
            self.lost = "a publish was refused"
            return
        channel, tag = delivery
        self._settled.setdefault(channel, Settled()).settle(tag)
        if not self._ack_planned:
            self._ack_planned = True
            asyncio.get_running_loop().call_soon(self._acknowledge)

    def _acknowledge(self) -> None:
        self._ack_planned = False
        for channel, settled in self._settled.items():
            if settled.through > self._acknowledged.get(channel, 0):
                self._acknowledged[channel] = settled.through
                self._source.acknowledge(channel, settled.through)


async def run(job: ForwardJob, steering: Steering) -> None:
    forwarder = NullForwarder(job)
    await forwarder.open()
    try:
        await serve(steering, lambda: forwarder.lost)
    finally:
        await forwarder.close()
    ended()


if __name__ == "__main__":
    main(ForwardJob, run)
