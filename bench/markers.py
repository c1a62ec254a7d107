"""Where a drain begins and ends: one message at the front and one at the back of each shard, and their arrival.

A marker is a message like all others, so it cannot overtake or fall behind in its shard. The first front marker to
arrive begins the measured drain: before it lies a run-up, in which processes start and connect; the last back marker
ends it. Both are seen by the harness as a recipient, and CPU times are read in that very moment.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from yarl import URL

from bench.amqp import Publisher, Reader, properties
from bench.bodies import Bodies
from bench.child import LoadError
from bench.job import Line, Target
from bench.reading import read
from router.core.errors import BrokerError
from router.core.names import ACK, ENTRANCE

FRONT: Final = 1
BACK: Final = 2
STORE_SECONDS: Final = 60.0


class Moment(Struct, frozen=True):
    """A monotonic time and the CPU seconds used until then, by whatever is measured."""

    seconds: float
    cpu_seconds: tuple[float, ...]


class Drain(Struct, frozen=True):
    """From the first front marker to the last back marker. `skew_seconds`: until the last front marker had come too."""

    begin: Moment
    end: Moment
    skew_seconds: float

    @property
    def seconds(self) -> float:
        return self.end.seconds - self.begin.seconds

    def cpu_seconds(self, which: int) -> float:
        return self.end.cpu_seconds[which] - self.begin.cpu_seconds[which]


class Markers:
    """The markers of one round. `lines` are the marker clients', one a shard, all to one recipient."""

    def __init__(self, target: Target, lines: Sequence[Line]) -> None:
        self._target, self._lines = target, lines
        self._bodies = Bodies(1, time.time(), {"rc-ref": 1}, count=1)
        self._first = int(time.time()) * 1_000_000
        self._fronts: dict[str, float] = {}
        self._backs: set[str] = set()
        self._begin: Moment | None = None
        self._end: Moment | None = None
        self._cpu: Callable[[], tuple[float, ...]] = tuple
        self._done = asyncio.Event()
        self._lost = ""

    async def publish(self, which: int) -> None:
        """One into each shard, confirmed. Raises BrokerError, TimeoutError."""
        for line in self._lines:
            answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            publisher: Publisher[None] = Publisher(self._url(line.sender), _first_answer(answered), lambda _: None)
            await publisher.open()
            try:
                number = self._first + which
                message = self._bodies.message(0, line.sender, line.recipient, number)
                raw = properties(message.content_type, message.delivery_mode, f"{line.sender}_{number}")
                publisher.publish(ENTRANCE, line.keys[message.kind], raw, message.body, None)
                publisher.flush()
                if not await asyncio.wait_for(answered, STORE_SECONDS):
                    raise BrokerError("a shard is full")
            finally:
                await publisher.close()

    async def watch(
        self, begin: Callable[[], None], cpu: Callable[[], tuple[float, ...]], alive: Callable[[], None], seconds: float
    ) -> Drain:
        """Call `begin` (it may block) once the marker inbox is read, and wait for the end.

        `cpu` is read at both ends; `alive` is called now and then and raises when waiting is in vain. Raises LoadError
        after `seconds`, BrokerError when the marker inbox cannot be read.
        """
        self._cpu = cpu
        reader = Reader(self._url(self._lines[0].recipient), self._take, self._reader_lost)
        await reader.open([self._lines[0].inboxes[ACK]], 100)
        try:
            await asyncio.to_thread(begin)
            deadline = time.monotonic() + seconds
            while not self._done.is_set():
                await asyncio.to_thread(alive)
                if self._lost:
                    raise LoadError(f"the marker inbox: {self._lost}")
                if time.monotonic() > deadline:
                    there = f"{len(self._fronts)} front and {len(self._backs)} back of {len(self._lines)}"
                    raise LoadError(f"the drain did not end in {seconds:.0f} s: markers seen: {there}")
                try:
                    await asyncio.wait_for(self._done.wait(), 1.0)
                except TimeoutError:
                    continue
        finally:
            await reader.close()
        assert self._begin is not None and self._end is not None  # `_take` set both
        return Drain(self._begin, self._end, max(self._fronts.values()) - self._begin.seconds)

    def _url(self, user: str) -> URL:
        return self._target.address.url(user, self._target.clients_password)

    def _reader_lost(self, why: str) -> None:
        self._lost = why

    def _take(self, _queue: str, raw_properties: bytes, body: bytes, _again: bool) -> None:
        arrival = read(raw_properties, body)
        if arrival is None:
            return
        now = time.monotonic()
        if arrival.number == self._first + FRONT:
            if self._begin is None:
                self._begin = Moment(now, self._cpu())
            self._fronts.setdefault(arrival.client, now)
        elif arrival.number == self._first + BACK:
            self._backs.add(arrival.client)
            if len(self._backs) == len(self._lines) and self._end is None:
                self._end = Moment(now, self._cpu())
                self._done.set()


def _first_answer(answered: "asyncio.Future[bool]") -> Callable[[None, bool], None]:
    def on_confirm(_: None, stored: bool) -> None:
        if not answered.done():
            answered.set_result(stored)

    return on_confirm
