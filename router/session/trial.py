"""The trial of a suspect inbox: one real message at a time on a connection of its own (DELIVERY.md 4).

A silent inbox may freeze its channel; here it freezes nobody else's.
"""

import asyncio

from yarl import URL

from router.core.errors import BrokerError, MalformedProperties
from router.core.outcomes import Outcome
from router.core.outputs import Output
from router.core.properties import publish_number
from router.lane import outbound
from router.lane.inbound import Confirm, Content, Event
from router.session.link import Link, ignore


class TrialLink:
    """Publishes one output and says what became of it; connects when it is first needed."""

    def __init__(self, url: URL, max_body_bytes: int, confirm_timeout_seconds: float) -> None:
        self._url, self._max_body_bytes = url, max_body_bytes
        self._timeout_seconds = confirm_timeout_seconds
        self._link: Link | None = None
        self._channel = 0
        self._number = 0
        self._returned = False
        self._answer: asyncio.Future[Outcome] | None = None

    async def attempt(self, output: Output) -> Outcome:
        """CONFIRMED, RETURNED, NACKED, SILENT after the confirm timeout, or LOST. A cancel cuts the connection."""
        self._answer = asyncio.get_running_loop().create_future()
        self._returned = False
        try:
            if self._link is None:
                await self._open()
            self._write(output)
            return await asyncio.wait_for(self._answer, self._timeout_seconds)
        except TimeoutError:
            self.abort()
            return Outcome.SILENT
        except BrokerError:
            self.abort()
            return Outcome.LOST
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._answer = None

    def abort(self) -> None:
        """Cut the connection; the next attempt makes another one."""
        if self._link is not None:
            self._link.abort()
        self._link = None

    async def _open(self) -> None:
        link = Link(self._url, self._max_body_bytes, self._events, ignore, lambda _: self._lost(link))
        self._link = link
        await link.open()
        self._channel = (await link.channel(confirms=True)).number
        self._number = 0

    def _write(self, output: Output) -> None:
        assert self._link is not None
        self._number += 1
        pieces = [outbound.publish_method(self._channel, output.exchange, output.queue)]
        outbound.content(
            self._channel, output.properties(self._number), output.body, self._link.max_frame_bytes, pieces
        )
        self._link.write(b"".join(pieces))

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Content):
                try:
                    self._returned = publish_number(event.raw_properties) == self._number
                except MalformedProperties:
                    self._tell(Outcome.LOST)
            elif isinstance(event, Confirm) and event.number == self._number:
                stored = Outcome.RETURNED if self._returned else Outcome.CONFIRMED
                self._tell(stored if event.stored else Outcome.NACKED)

    def _lost(self, link: Link) -> None:
        if link is not self._link:
            return  # the end of an earlier connection says nothing about this one
        self._link = None
        self._tell(Outcome.LOST)

    def _tell(self, outcome: Outcome) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(outcome)
